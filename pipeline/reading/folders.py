"""Which runs there are: those in a folder of logs, or those that were named. A name means one of these and no more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline.errors import SetupError
from pipeline.printable import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

TRACES_OF_A_RUN: Final = ("config.json", "events.jsonl", "training_log.csv")
"""Any of them makes a folder one of a run, be it damaged."""


class UnknownRunError(SetupError):
    """There is no run of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no run {shown(name)!r}")


class RunFolders:
    """The folders of runs, by name.

    Args:
        log_dir: Whose folders are meant, unless some are named. It need not be there yet.
        named: Folders of runs that are meant alone.

    Raises:
        SetupError: One that is named is no folder of a run, or two have the same name.
    """

    def __init__(self, log_dir: Path, named: Sequence[Path] = ()) -> None:
        self._log_dir = log_dir
        self._named = {path.resolve().name: path.resolve() for path in named}
        for path in named:
            if not _is_of_a_run(path.resolve()):
                raise SetupError(f"{shown(path)} is not the folder of a run. Give one like logs/tuesday")
        if len(self._named) < len({path.resolve() for path in named}):
            raise SetupError("two of the runs have the same name: watch one after the other")

    def names(self) -> list[str]:
        """Return the names of all runs that there are now, sorted. A link to elsewhere is none."""
        if self._named:
            return sorted(self._named)
        try:
            entries = list(os.scandir(self._log_dir))
        except OSError:
            return []
        return sorted(
            entry.name
            for entry in entries
            if _is_text(entry.name) and entry.is_dir(follow_symlinks=False) and _is_of_a_run(Path(entry.path))
        )

    def path(self, name: str) -> Path:
        """Return the folder of a run.

        Raises:
            UnknownRunError: There is none of this name: it leads elsewhere, say.
        """
        if self._named:
            if name not in self._named:
                raise UnknownRunError(name)
            return self._named[name]
        path = self._log_dir / name
        if name in ("", ".", "..") or "/" in name or "\0" in name or not _is_text(name):
            raise UnknownRunError(name)
        if path.is_symlink() or not _is_of_a_run(path):
            raise UnknownRunError(name)
        return path


def _is_of_a_run(path: Path) -> bool:
    return any(os.path.lexists(path / name) for name in TRACES_OF_A_RUN)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
