"""Files that a replay is written to: new ones, never over another."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pipeline.persist.files import open_plain
from pipeline.replay.errors import ReplayError


def write_new(path: Path, content: bytes) -> None:
    """Write a file where there is none.

    Raises:
        ReplayError: There is one, or it can't be written; then nothing is left behind.
    """
    try:
        descriptor = open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        msg = f"{path} exists already, and nothing is overwritten: choose another name, or remove it first"
        raise ReplayError(msg) from None
    except OSError as error:
        raise ReplayError(f"can't write {path}: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ReplayError(f"can't write {path}: {error.strerror}") from None
        raise


def write_temporary(content: bytes, suffix: str) -> Path:
    """Write a new file that this user alone can read, and return where; it is left to the system to remove it."""
    descriptor, name = tempfile.mkstemp(prefix="cage2-replay-", suffix=suffix)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return Path(name)
