"""A file of traces as it is written: whole lines, and never over another file."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.persist.files import Log, WriteError, open_plain
from pipeline.trace.errors import TraceFileError
from pipeline.trace.trace import as_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self

    from pipeline.trace.trace import Header


class TraceFile:
    """A new file. A context manager, which leaves none that has no episode.

    Args:
        path: Where nothing may be.
        header: Returns its first line; called once, when the first episodes are there: then it is known who played.

    Raises:
        TraceFileError: There is something, or it can't be written. Then nothing is left behind.
    """

    def __init__(self, path: Path, header: Callable[[], Header]) -> None:
        self._path = path
        self._header = header
        self._is_empty = True
        try:
            os.close(open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            msg = f"{path} exists already, and nothing is overwritten: choose another name, or remove it first"
            raise TraceFileError(msg) from None
        except OSError as error:
            raise self._not_written(error) from None
        try:
            self._log = Log(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def write(self, lines: str) -> None:
        """Append whole lines.

        Raises:
            TraceFileError: The disk is full, say; then nothing of them is appended.
        """
        try:
            self._log.write((as_line(self._header()) if self._is_empty else "") + lines)
            self._is_empty = False
        except WriteError as error:
            raise self._not_written(error.reason) from None

    def _not_written(self, error: OSError) -> TraceFileError:
        return TraceFileError(f"can't write {self._path}: {error.strerror}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        if self._is_empty:  # so that the same line, mended, can be given again
            self._path.unlink(missing_ok=True)


@contextmanager
def written_to(path: Path | None, header: Callable[[], Header]) -> Iterator[Callable[[str], None]]:
    """Yield what takes lines: into a new file, or nowhere if there is to be none; see `TraceFile`."""
    if path is None:
        yield lambda _: None
        return
    with TraceFile(path, header) as file:
        yield file.write
