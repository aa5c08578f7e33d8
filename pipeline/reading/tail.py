"""A log as it can be read while it is written: whole lines, from where it was left.

A run that is resumed cuts its logs back to the checkpoint and writes on, so what was read may no longer be there: the
last bytes that were read are compared with the file's each time, and where they differ it is read anew. Lines of a run
hold times, so that other lines of the same length differ in them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.persist.files import open_plain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PIECE_BYTES: Final = 1 << 20
"""Read at a time; a line is shorter, or it is none of a run's."""
_ANCHOR_BYTES: Final = 1024
"""By which it is known whether a file is still the one that was read."""


class Piece(NamedTuple):
    """What was read at a time."""

    lines: list[bytes]
    """Whole, without their ends."""
    is_anew: bool
    """The file is read from its beginning, after something else was read before: forget that."""
    num_too_long: int
    """Lines that were left out, for they are longer than `PIECE_BYTES`."""


class Tail:
    """Reads a file of a run's folder from where it was left. It is opened for the time of reading only."""

    def __init__(self, path: Path) -> None:
        """Args: path: the file, which need not be there yet."""
        self._path = path
        self._offset = 0
        self._anchor = b""
        """The last bytes that were read."""
        self._inode: int | None = None
        self._is_within_a_line = False
        """What was read last ended within a line that is too long."""

    def pieces(self) -> Iterator[Piece]:
        """Yield what was written since, piece by piece. A line that has no end yet is left for the next time.

        Raises:
            OSError: The file can't be read, or is something else than a plain file: a link, say. That there is none is
                no error.
        """
        try:
            descriptor = open_plain(self._path, os.O_RDONLY)
        except FileNotFoundError:
            if self._offset:
                self._start_over()
                yield Piece([], is_anew=True, num_too_long=0)
            return
        try:
            yield from self._pieces(descriptor)
        finally:
            os.close(descriptor)

    def _pieces(self, descriptor: int) -> Iterator[Piece]:
        is_anew = not self._is_the_same(descriptor)
        if is_anew:
            self._start_over()
            self._inode = os.fstat(descriptor).st_ino
            yield Piece([], is_anew=True, num_too_long=0)
        while True:
            read = os.pread(descriptor, PIECE_BYTES, self._offset)
            end = read.rfind(b"\n") + 1
            num_too_long = 0
            if end == 0:
                if len(read) < PIECE_BYTES:
                    return
                num_too_long, end = int(not self._is_within_a_line), len(read)
                lines, is_within = [], True
            else:
                lines, is_within = read[: end - 1].split(b"\n"), False
                if self._is_within_a_line:
                    del lines[0]
            self._is_within_a_line = is_within
            self._offset += end
            self._anchor = (self._anchor + read[max(0, end - _ANCHOR_BYTES) : end])[-_ANCHOR_BYTES:]
            yield Piece(lines, is_anew=False, num_too_long=num_too_long)

    def _is_the_same(self, descriptor: int) -> bool:
        if self._inode is None:
            self._inode = os.fstat(descriptor).st_ino
            return True
        length = len(self._anchor)
        return (
            os.fstat(descriptor).st_ino == self._inode
            and os.pread(descriptor, length, self._offset - length) == self._anchor
        )

    def _start_over(self) -> None:
        self._offset = 0
        self._anchor = b""
        self._inode = None
        self._is_within_a_line = False


def last_lines(path: Path, num_bytes: int) -> list[bytes]:
    """Return the whole lines among the last bytes of a log.

    Raises:
        OSError: As `Tail.pieces`, or there is no such file.
    """
    descriptor = open_plain(path, os.O_RDONLY)
    try:
        size = os.fstat(descriptor).st_size
        start = max(0, size - num_bytes)
        lines = os.pread(descriptor, num_bytes, start).split(b"\n")[:-1]
    finally:
        os.close(descriptor)
    return lines[1:] if start else lines  # the first one may have begun before


def first_bytes(path: Path, num_bytes: int) -> bytes:
    """Return what a file of a run's folder begins with.

    Raises:
        OSError: As `last_lines`.
    """
    descriptor = open_plain(path, os.O_RDONLY)
    try:
        return os.pread(descriptor, num_bytes, 0)
    finally:
        os.close(descriptor)
