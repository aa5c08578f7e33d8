"""Where an exported agent is to be written: nothing may be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import SetupError

if TYPE_CHECKING:
    from pathlib import Path


class ExportFolderError(SetupError):
    """An agent can't be written to a folder."""


def require_room(folder: Path) -> None:
    """Check that nothing is where an agent is to be written.

    Raises:
        ExportFolderError: There is something, or one can't look.
    """
    try:
        if folder.is_dir() and not any(folder.iterdir()):
            return
        if not (folder.exists() or folder.is_symlink()):
            return
    except OSError as error:
        raise ExportFolderError(f"can't write to --to {str(folder)!r:.200}: {error.strerror}") from None
    what = "isn't empty" if folder.is_dir() else "is no folder"
    raise ExportFolderError(f"--to {folder} {what}, and nothing is overwritten: choose another, or empty it first")
