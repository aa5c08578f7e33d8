from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.observe.track.told import Told
from pipeline.persist.files import WriteError

if TYPE_CHECKING:
    from pathlib import Path


@given(
    runs=st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=20).map(sorted), min_size=1, max_size=4),
)
def test_points_are_told_once_whatever_a_resumed_run_repeats(
    runs: list[list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("run") / "board" / "told"
    told_before: list[int] = []
    for totals in runs:
        told = Told(path)
        if not told.tracker_id:
            told.begin("id-1")
        assert told.tracker_id == "id-1"
        new = [total for total in totals if told.is_new(total)]
        told.close()
        assert new == [total for total in totals if total > max(told_before, default=0)]
        told_before += new


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "board" / "told"
    told = Told(path)
    told.begin("id")
    told.close()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"id\n", b"../x\n" + b"0" * 20 + b"\n", b"id\n" + b"9" * 21 + b"\n"])
def test_what_is_damaged_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "told").write_bytes(content)
    with pytest.raises(WriteError, match="damaged"):
        Told(tmp_path / "told")


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"id\n" + b"0" * 20 + b"\n")
    (tmp_path / "told").symlink_to(tmp_path / "victim")
    with pytest.raises(WriteError):
        Told(tmp_path / "told")
