from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.export.room import ExportFolderError, require_room

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_or_an_empty_folder_has_room(tmp_path: Path) -> None:
    require_room(tmp_path / "new")
    require_room(tmp_path / "new" / "newer")
    require_room(tmp_path)


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ExportFolderError, match="isn't empty, and nothing is overwritten: choose another, or empty it"):
        require_room(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(ExportFolderError, match=f"{name} is no folder"):
            require_room(tmp_path / name)


def test_a_name_that_can_not_be(tmp_path: Path) -> None:
    with pytest.raises(ExportFolderError, match="File name too long"):
        require_room(tmp_path / ("a" * 300))
