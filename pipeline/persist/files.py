"""Files that are whole or not there: written under a temporary name, synced, renamed. And logs, which only grow."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pathlib import Path


TEMPORARY_SUFFIX = ".tmp"
"""What a file's name ends with until it is whole; a crash may leave one behind."""


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file's content at once: whoever reads it, after a crash too, sees the old content or the new one."""
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object, readable by people; NaN and infinities are refused, for JSON has none."""
    write_bytes(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def open_log(path: Path, size_bytes: int | None = None) -> TextIO:
    """Open a log to append lines to.

    Args:
        path: The file.
        size_bytes: How much of it to keep, when a run is resumed; a new log is empty. If lines were lost since (a power
            cut: logs aren't synced), that is no reason not to go on: the whole lines that are there are kept.
    """
    if size_bytes is None:
        return path.open("w", newline="", encoding="utf-8")
    file = path.open("a", newline="", encoding="utf-8")
    file.truncate(path.read_bytes()[:size_bytes].rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)
    return file


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
