"""The folder of a run: what lies where, and who may write to it."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Self

from pipeline.config import Config, num_cores
from pipeline.errors import SetupError
from pipeline.persist.files import write_json

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = (
    "cage2-pipeline",
    "csle-cyborg",
    "numpy",
    "torch",
    "gpytorch",
    "scipy",
    "uvloop",
    "pydantic",
    "safetensors",
)
"""Packages whose versions a run's results or files may depend on."""


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
            self._lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            msg = f"can't write to {path}: {error.strerror}"
            raise RunFolderError(msg) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            msg = f"{path} belongs to a run that is still alive: wait for it, stop it, or choose another --run-name"
            raise RunFolderError(msg) from None

    @classmethod
    def create(cls, config: Config) -> Self:
        """Make a new run's folder and write down its configuration, versions and machine.

        Raises:
            RunFolderError: If it exists already, or can't be written.
        """
        name = config.run_name or _default_name(config)
        path = config.log_dir / name
        try:
            config.log_dir.mkdir(parents=True, exist_ok=True)
            path.mkdir()
        except FileExistsError:
            what = "it exists already" if path.is_dir() else "something that is not a folder is in the way"
            msg = f"can't start a run in {path}: {what}. Choose another --run-name, or go on with: resume {path}"
            raise RunFolderError(msg) from None
        except OSError as error:
            msg = f"can't write to --log-dir {config.log_dir}: {error.strerror}"
            raise RunFolderError(msg) from None
        folder = cls(path)
        write_json(path / "config.json", config.model_dump(mode="json"))
        write_json(path / "machine.json", describe_machine())
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
        return Config.model_validate(json.loads((path / "config.json").read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        msg = f"{path} is not the folder of a run: it has no config.json"
        raise RunFolderError(msg) from None
    except (OSError, ValueError) as error:
        msg = f"can't read {path / 'config.json'}: {' '.join(str(error).split())}"
        raise RunFolderError(msg) from None


def describe_machine() -> dict[str, Any]:
    """Return versions and machine, as `info` prints them and each run records them."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": _processor(),
        "num_cores": num_cores(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _default_name(config: Config) -> str:
    now = datetime.now(UTC).astimezone()
    return f"{now:%Y%m%d-%H%M%S}-{config.red_agent}-seed{config.seed}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123  # a device, not one of our files
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
