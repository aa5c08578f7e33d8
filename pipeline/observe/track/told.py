"""What a tracker has been told of a run, kept in the run's folder: a run that is resumed tells nothing twice.

A run goes on to the same bits from its last checkpoint, so the points that were told after that come again, and are the
same: they are left out. The file holds two lines, the tracker's own name for the run and the episodes of the latest
point; the latter is written before the point is told, so that a kill between the two costs one point and doubles none.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from pipeline.persist.files import WriteError, open_plain, read_bytes

if TYPE_CHECKING:
    from pathlib import Path

_FORM = re.compile(rb"([\w-]{1,100})\n(\d{20})\n", re.ASCII)


class Told:
    """What a tracker has been told of a run.

    Args:
        path: The file; there may be none yet.

    Raises:
        WriteError: It can't be opened, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.tracker_id = ""
        """The tracker's own name for the run; empty if it knows none yet."""
        self.total_episodes = 0
        """Episodes of the latest point."""
        self._before = 0
        self._file: int | None = None
        try:
            found = _FORM.fullmatch(read_bytes(path))
        except FileNotFoundError:
            return
        except OSError as error:
            raise WriteError(path, error) from None
        if found is None:
            raise WriteError(path, OSError(errno.EINVAL, "It is damaged. Remove it to have all told anew"))
        self.tracker_id = found[1].decode()
        self.total_episodes = self._before = int(found[2])
        self._file = open_plain(path, os.O_WRONLY)

    def begin(self, tracker_id: str) -> None:
        """Note the tracker's name for the run, which letters, digits, dash and underscore make up.

        Raises:
            WriteError: It can't be written.
        """
        try:
            self._path.parent.mkdir(exist_ok=True)
            self._file = open_plain(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(self._file, f"{tracker_id}\n{0:020}\n".encode())
        except OSError as error:
            raise WriteError(self._path, error) from None
        self.tracker_id = tracker_id

    def is_new(self, total_episodes: int) -> bool:
        """Return whether a point is yet to be told, and note that it is about to be.

        Of points with the same episodes, an update's and that of the visit which ended with it, both are new.
        """
        if self._file is None:
            raise RuntimeError("begin first")
        if total_episodes <= self._before:
            return False
        if total_episodes > self.total_episodes:
            os.pwrite(self._file, f"{total_episodes:020}\n".encode(), len(self.tracker_id) + 1)
            self.total_episodes = total_episodes
        return True

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
