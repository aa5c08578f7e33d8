"""A lock that processes share: on a file, and given back by the system when its holder dies, however that comes."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_POLL_S = 0.02


class FileLock:
    """Keeps processes apart that may do their work together if need be: it is never waited for without end.

    Threads of one process are not kept apart by it.

    Args:
        path: The file, made when it is first needed. It stays empty, and stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self, wait_s: float) -> None:
        """Take the lock, or go on without it: there may be none, on a network's disk or where only reading is allowed.

        Args:
            wait_s: How long to wait for another process that has it, at most.
        """
        end_s = time.monotonic() + wait_s
        with contextlib.suppress(OSError):
            while not self._try_to() and time.monotonic() < end_s:
                time.sleep(_POLL_S)

    def release(self) -> None:
        """Give it back, if it was taken."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    if sys.platform == "win32":

        def _try_to(self) -> bool:
            return True

    else:

        def _try_to(self) -> bool:
            """Return False if another process has it.

            Raises:
                OSError: There is no lock to be had.
            """
            import fcntl

            if self._fd is None:
                # not where a link leads, and without waiting for the other end if somebody has put a pipe there
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
                self._fd = os.open(self._path, flags, 0o600)
            try:
                # of the process, not of the open file as `flock`'s, which a child that is forked meanwhile would keep
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # which of them is the system's choice
                return False
            return True
