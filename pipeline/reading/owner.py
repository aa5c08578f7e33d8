"""Whether a process owns a run's folder, asked without touching its lock.

Who took it, even for a moment, could keep a run from starting. Linux lists all locks in `/proc/locks`, by device and
inode. Elsewhere, and of processes on other machines, nothing is known.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCKS: Final = Path("/proc/locks")
_LOCK: Final = re.compile(r"^\d+: FLOCK +\S+ +WRITE +\d+ +([0-9a-f]+):([0-9a-f]+):(\d+) ", re.MULTILINE)
"""`1: FLOCK  ADVISORY  WRITE 10215 fe:00:123627 0 EOF`; who waits for one has `->` before `FLOCK`."""


def locked_files(table: Path = LOCKS) -> frozenset[tuple[int, int]] | None:
    """Return device and inode of all files that a process of this machine has locked; None if that can't be known.

    Args:
        table: The kernel's.
    """
    try:
        text = table.read_text()
    except OSError:
        return None
    return frozenset(_files(text))


def is_owned(run_dir: Path, locked: frozenset[tuple[int, int]] | None) -> bool | None:
    """Return whether a process of this machine owns a run's folder; None if that can't be known.

    Args:
        run_dir: The folder.
        locked: From `locked_files`.
    """
    if locked is None:
        return None
    try:
        status = (run_dir / ".lock").lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) in locked


def _files(text: str) -> Iterator[tuple[int, int]]:
    for major, minor, inode in _LOCK.findall(text):
        yield os.makedev(int(major, 16), int(minor, 16)), int(inode)
