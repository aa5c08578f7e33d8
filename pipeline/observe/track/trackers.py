"""The trackers that a configuration asks for, each with a folder of its name in the run's."""

from __future__ import annotations

import errno
from functools import partial
from typing import TYPE_CHECKING

from pipeline import extras
from pipeline.observe.track.tracking import Tracking
from pipeline.persist.files import WriteError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.config import Config
    from pipeline.observe.track.tracking import Tracker

NAMES = {"tensorboard": "TensorBoard", "wandb": "Weights & Biases", "mlflow": "MLflow"}
"""Of each tracker, by its option, which is its module's, its package's and its folder's name as well."""


def require_trackers(config: Config) -> None:
    """Check that the trackers that a run is to have are installed.

    Raises:
        NotInstalledError: One isn't.
    """
    for option in _asked_for(config):
        extras.require(f"--{option}", option)


def start_trackers(config: Config, run_dir: Path, total_episodes: int) -> list[Tracking]:
    """Start the trackers that a run is to have; they are imported and opened on threads of their own.

    Args:
        config: The run's.
        run_dir: Its folder.
        total_episodes: Episodes used before, when it is resumed.

    Raises:
        WriteError: Something else than a folder has a tracker's name.
    """
    options = _asked_for(config)
    for option in options:
        folder = run_dir / option
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise WriteError(folder, OSError(errno.ENOTDIR, "Not a folder of the run's own"))
    return [
        Tracking(NAMES[option], partial(_open, option, config, run_dir, total_episodes), total_episodes)
        for option in options
    ]


def _asked_for(config: Config) -> list[str]:
    return [option for option in NAMES if getattr(config, option)]


def _open(option: str, config: Config, run_dir: Path, total_episodes: int) -> Tracker:
    # imported here, on the tracker's thread: extras, which may be missing, and take seconds
    if option == "tensorboard":
        from pipeline.observe.track.tensorboard import TensorBoardTracker

        return TensorBoardTracker(run_dir, total_episodes)
    configuration = config.model_dump(mode="json")
    if option == "wandb":
        from pipeline.observe.track.wandb import WandbTracker

        return WandbTracker(run_dir, configuration)
    from pipeline.observe.track.mlflow import MlflowTracker

    return MlflowTracker(run_dir, configuration)
