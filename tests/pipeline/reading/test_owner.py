from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from pipeline.config import Config
from pipeline.persist.runs import RunFolder
from pipeline.reading.owner import is_owned, locked_files

if TYPE_CHECKING:
    from pathlib import Path


def test_a_run_is_owned_as_long_as_its_folder_is_locked(tmp_path: Path) -> None:
    folder = RunFolder.create(Config(log_dir=tmp_path, run_name="run"))
    assert is_owned(folder.path, locked_files())
    folder.close()
    assert is_owned(folder.path, locked_files()) is False


def test_asking_takes_no_lock(tmp_path: Path) -> None:
    folder = RunFolder.create(Config(log_dir=tmp_path, run_name="run"))
    folder.close()
    descriptor = os.open(folder.path / ".lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    try:  # one that is shared is none of a run's, and stays
        assert is_owned(folder.path, locked_files()) is False
    finally:
        os.close(descriptor)
    RunFolder(folder.path).close()


def test_a_folder_without_a_lock_or_with_a_link_is_nobodys(tmp_path: Path) -> None:
    folder = RunFolder.create(Config(log_dir=tmp_path, run_name="run"))
    other = tmp_path / "other"
    other.mkdir()
    assert is_owned(other, locked_files()) is False
    (other / ".lock").symlink_to(folder.path / ".lock")
    assert is_owned(other, locked_files()) is False
    folder.close()


def test_where_locks_are_not_listed_nothing_is_known(tmp_path: Path) -> None:
    assert locked_files(tmp_path / "none") is None
    assert is_owned(tmp_path, None) is None


def test_the_kernels_table(tmp_path: Path) -> None:
    table = tmp_path / "locks"
    table.write_text(
        "1: FLOCK  ADVISORY  WRITE 10215 fe:00:123627 0 EOF\n"
        "2: POSIX  ADVISORY  WRITE 10215 fe:00:5 0 EOF\n"
        "3: FLOCK  ADVISORY  READ 10215 fe:00:6 0 EOF\n"
        "1: -> FLOCK  ADVISORY  WRITE 7 fe:00:7 0 EOF\n"
        "4: FLOCK  MSNFS     WRITE 9 00:1b:8 0 EOF\n"
    )
    assert locked_files(table) == {(os.makedev(0xFE, 0), 123627), (os.makedev(0, 0x1B), 8)}
