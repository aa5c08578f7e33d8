"""Files that are whole or not there: written under a temporary name, synced, renamed. And logs, which only grow.

What lies in a run's folder may come from somebody else: nothing here follows a symbolic link that stands for a file of
the run, nor waits for a pipe.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path


TEMPORARY_SUFFIX = ".tmp"
"""What a file's name ends with until it is whole; a crash may leave one behind."""

_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Neither follow a link nor wait for somebody at the other end of a pipe."""
_BLOCK_BYTES = 65536
_ADVICE = {
    errno.ENOSPC: "Make room there",
    errno.EDQUOT: "Make room there, or have the quota raised",
    errno.EFBIG: "Raise the limit on file sizes (ulimit -f)",
    errno.ENOENT: "Put the run's folder back",
    errno.ENOTDIR: "Put the run's folder back",
    errno.ESTALE: "Put the run's folder back",
}


class WriteError(PipelineError):
    """Something of a run's record can't be written: a full disk, a folder that is gone."""

    def __init__(self, path: Path, error: OSError) -> None:
        """Args: path: what was to be written. error: why it wasn't."""
        self.reason = error
        advice = _ADVICE.get(error.errno or 0, "See that it can be written")
        super().__init__(
            f"can't write {path}: {error.strerror}. {advice}, then resume the run: it goes on from its last checkpoint"
        )


class Log:
    """A file that grows by whole lines. One that can't be written whole is taken back: a full disk leaves no half."""

    def __init__(self, path: Path, size_bytes: int | None = None, thread: Executor | None = None) -> None:
        """Open a log to append lines to.

        Args:
            path: The file.
            size_bytes: How much of it to keep, when a run is resumed; a new log is empty. If lines were lost since,
                that is no reason not to go on: the whole lines that are there are kept.
            thread: One thread that writes, so that the caller needn't wait for the disk; by default the caller's own.

        Raises:
            WriteError: If it can't be opened.
        """
        self.path = path
        self.size_bytes = 0
        """Bytes of the lines so far, those that were kept included."""
        self._thread = thread
        self._failure: WriteError | None = None
        try:
            self._file = open_plain(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
            try:
                self.size_bytes = _end_of_lines(self._file, size_bytes or 0)
                os.ftruncate(self._file, self.size_bytes)
            except BaseException:
                os.close(self._file)
                raise
        except OSError as error:
            raise WriteError(path, error) from None

    def write(self, lines: str) -> int:
        """Append whole lines, or have the thread do so.

        Raises:
            WriteError: If the disk is full, say; then nothing is appended. What the thread could not append is told by
                the next call, and nothing follows it.
        """
        self.check()
        content, start = lines.encode(), self.size_bytes
        if self._thread is None:
            self._append(content, start)
        else:
            self._thread.submit(self._append_or_remember, content, start)
        self.size_bytes = start + len(content)
        return len(lines)

    def check(self) -> None:
        """Raise `WriteError` if a line could not be written."""
        if self._failure is not None:
            raise self._failure

    def flush(self) -> None:
        """Do nothing, as nothing is held back; who writes to a stream expects to be able to ask for it."""

    def isatty(self) -> bool:
        """Return False: it is a file."""
        return False

    def close(self) -> None:
        """Close the file, once the thread has written all."""
        if self._thread is not None:
            self._thread.submit(os.close, self._file).result()
        else:
            os.close(self._file)

    def _append(self, content: bytes, start: int) -> None:
        try:
            written = 0
            while written < len(content):
                written += os.write(self._file, content[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, start)
            raise WriteError(self.path, error) from None

    def _append_or_remember(self, content: bytes, start: int) -> None:
        if self._failure is None:
            try:
                self._append(content, start)
            except WriteError as error:
                self._failure = error


def open_plain(path: Path, flags: int, mode: int = 0o666) -> int:
    """Open a file of a run's folder.

    Args:
        path: The file.
        flags: Of `os.open`.
        mode: Rights of a file that is made, less those that the user's umask takes.

    Returns:
        A descriptor.

    Raises:
        OSError: If it can't be opened, or is something else than a plain file.
    """
    descriptor = os.open(path, flags | _PLAIN, mode)
    try:
        _require_plain(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def make_plain(path: Path) -> None:
    """See that there is a plain file of this name, an empty one if there was none.

    Raises:
        WriteError: If there can't be.
    """
    try:
        os.close(open_plain(path, os.O_WRONLY | os.O_CREAT))
    except OSError as error:
        raise WriteError(path, error) from None


def read_bytes(path: Path) -> bytes:
    """Return what is in a file of a run's folder.

    Raises:
        OSError: If it isn't there, can't be read, or is something else than a plain file.
    """
    with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
        return file.read()


def read_json(path: Path) -> Any:
    """Return the JSON value in a file of a run's folder.

    Raises:
        OSError: As `read_bytes`.
        ValueError: If it isn't JSON.
    """
    try:
        return json.loads(read_bytes(path))
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None


def reason(error: Exception) -> str:
    """Return why a file can't be read, without its name: whoever tells of it has told that."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content at once: whoever reads it, after a crash too, sees the old content or the new one.

    Raises:
        WriteError: If the disk is full, say; the old content stays.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        try:
            temporary.unlink(missing_ok=True)  # a crash may have left it, or somebody a link to elsewhere
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync(path.parent)
    except OSError as error:
        raise WriteError(path, error) from error


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object, readable by people; NaN and infinities are refused, for JSON has none.

    Raises:
        WriteError: As `write_bytes`.
    """
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY | _PLAIN)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end_of_lines(descriptor: int, size_bytes: int) -> int:
    """Return where the last whole line ends within a file's first bytes; read from there backwards, block by block."""
    end = min(size_bytes, os.fstat(descriptor).st_size)
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _require_plain(descriptor: int) -> None:
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "Not a plain file")
