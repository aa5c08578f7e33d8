"""The folder of a run: what lies where, and who may write to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from pydantic import ValidationError

from pipeline.config import Config
from pipeline.errors import SetupError
from pipeline.machine import describe_machine
from pipeline.persist.files import (
    TEMPORARY_SUFFIX,
    WriteError,
    open_plain,
    read_json,
    reason,
    sync,
    write_bytes,
    write_json,
)
from pipeline.printable import printable

if TYPE_CHECKING:
    from pathlib import Path


INITIAL: Final = "initial.safetensors"
"""In the folder of a run that started from another one's policies: these (`persist.initial`)."""

MAX_NAME: Final = 100
"""Characters of a folder's name that say who attacks."""


class RunFolderError(SetupError):
    """A run's folder can't be made, read or taken; the message says what to do."""


class RunFolder:
    """A run's folder, locked against a second run."""

    def __init__(self, path: Path) -> None:
        """Take the folder's lock.

        Raises:
            RunFolderError: If another process holds it.
        """
        self.path = path
        try:
            self._lock = open_plain(path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _not_writable(path, error) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            if not isinstance(error, BlockingIOError):
                raise _not_writable(path, error) from None
            msg = f"{path} belongs to a run that is still alive: wait for it, stop it, or choose another --run-name"
            raise RunFolderError(msg) from None
        for left in path.glob(f".*{TEMPORARY_SUFFIX}"):  # written by an owner that was killed
            left.unlink(missing_ok=True)

    @classmethod
    def create(cls, config: Config, initial: bytes | None = None) -> Self:
        """Make a new run's folder and write down its configuration, versions and machine.

        Args:
            config: The run.
            initial: The content of `INITIAL`, if the run starts from another one's policies.

        Raises:
            RunFolderError: If it exists already, or can't be written. Then it isn't left behind half made.
        """
        if config.earlier_budgets:
            msg = "a new run has no earlier_budgets: that is what resume --total-episodes writes down. Leave it out"
            raise RunFolderError(msg)
        try:
            config.log_dir.mkdir(parents=True, exist_ok=True)
            path = _make_folder(config)
        except OSError as error:
            msg = f"can't make a folder in --log-dir {config.log_dir}: {error.strerror}. Choose another"
            raise RunFolderError(msg) from None
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, path, ignore_errors=True)
            folder = cls(path)
            undo.callback(folder.close)
            try:
                if initial is not None:  # before the file that makes the folder a run's
                    write_bytes(path / INITIAL, initial)
                write_json(path / "config.json", config.model_dump(mode="json"))
                write_json(path / "machine.json", describe_machine())
                sync(config.log_dir)  # or a power cut could lose the new folder's name
            except OSError as error:
                raise _not_writable(path, error) from None
            except WriteError as error:
                raise _not_writable(path, error.reason) from None
            undo.pop_all()
        return folder

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._lock)


def read_config(path: Path) -> Config:
    """Return the configuration that the run in a folder was started with.

    Raises:
        RunFolderError: If there is no run, or its configuration can't be read.
    """
    try:
        return Config.model_validate(read_json(path / "config.json"))
    except (FileNotFoundError, NotADirectoryError):
        msg = f"{path} is not the folder of a run: it has no config.json. Give one like logs/tuesday"
        raise RunFolderError(msg) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = printable(".".join(map(str, first["loc"])))
        msg = (
            f"can't read {path / 'config.json'}: {where}: {first['msg']}. Was it edited, or written by another version?"
        )
        raise RunFolderError(msg) from None
    except (OSError, ValueError) as error:
        msg = f"can't read {path / 'config.json'}: {reason(error)}"
        raise RunFolderError(msg) from None


def _make_folder(config: Config) -> Path:
    """Make the folder: of the name that was asked for, or of one that nobody has."""
    if config.run_name is not None:
        path = config.log_dir / config.run_name
        try:
            path.mkdir()
        except FileExistsError:
            is_run = (path / "config.json").exists()
            advice = f"go on with it (resume {path})" if is_run else "remove it"
            msg = f"can't start a run in {path}: it exists already. Choose another --run-name, or {advice}"
            raise RunFolderError(msg) from None
        return path
    now = datetime.now(UTC).astimezone()
    red_agent = re.sub(r"[^A-Za-z0-9._-]+", "-", config.red_agent)[:MAX_NAME]
    name = f"{now:%Y%m%d-%H%M%S}-{red_agent}-seed{config.seed}"
    path, number = config.log_dir / name, 1
    while True:
        try:
            path.mkdir()
        except FileExistsError:  # a run that started in the same second
            number += 1
            path = path.with_name(f"{name}-{number}")
        else:
            return path


def _not_writable(path: Path, error: OSError) -> RunFolderError:
    return RunFolderError(f"can't write to {path}: {error.strerror}")
