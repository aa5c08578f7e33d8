from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from pipeline.replay.errors import ReplayError
from pipeline.replay.file import write_new, write_temporary

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    write_new(path, b"one")
    with pytest.raises(ReplayError, match="exists already, and nothing is overwritten"):
        write_new(path, b"two")
    assert path.read_bytes() == b"one"
    with pytest.raises(ReplayError, match=r"can't write .*b.html: No such file or directory"):
        write_new(tmp_path / "nowhere" / "b.html", b"")


def test_a_temporary_file_is_the_users_own() -> None:
    path = write_temporary(b"one", ".html")
    try:
        assert path.read_bytes() == b"one"
        assert path.suffix == ".html"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        path.unlink()
