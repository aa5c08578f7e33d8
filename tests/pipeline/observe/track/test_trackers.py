from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import Config
from pipeline.observe.track.trackers import NAMES, start_trackers
from pipeline.persist.files import WriteError

if TYPE_CHECKING:
    from pathlib import Path


def test_who_asks_for_none_has_none(tmp_path: Path) -> None:
    assert start_trackers(Config(), tmp_path, 0) == []


@pytest.mark.parametrize("option", NAMES)
@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_stands_in_the_place_of_a_trackers_folder_is_neither_followed_nor_replaced(
    option: str, kind: str, tmp_path: Path
) -> None:
    run_dir, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    run_dir.mkdir()
    elsewhere.mkdir()
    if kind == "link":
        (run_dir / option).symlink_to(elsewhere)
    else:
        (run_dir / option).write_text("precious")
    with pytest.raises(WriteError, match=f"{option}: Not a folder of the run's own"):
        start_trackers(Config(**{option: True}), run_dir, 0)
    assert not [*elsewhere.iterdir()]
