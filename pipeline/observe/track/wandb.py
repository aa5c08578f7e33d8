"""A run on Weights & Biases, behind the `wandb` extra."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import wandb

from pipeline.observe.track.told import Told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROJECT = "cage2-pipeline"
"""Where runs go if `WANDB_PROJECT` names no other."""


class WandbTracker:
    """Sends scalars to Weights & Biases, or keeps them in the run's folder until `wandb sync`.

    They are kept where nobody is logged in, or `WANDB_MODE` says so; all other variables of W&B's count as well. A run
    that is resumed goes on as the same run there.

    Args:
        run_dir: The run's folder.
        configuration: What is shown as the run's.

    Raises:
        WriteError: What was told before can't be read.
        wandb.errors.Error: W&B can't be reached, or refuses.
    """

    def __init__(self, run_dir: Path, configuration: Mapping[str, Any]) -> None:
        self._told = Told(run_dir / "wandb" / "told")
        is_logged_in = "WANDB_MODE" in os.environ or wandb.login(prompt=False)
        self._run = wandb.init(
            project=None if "WANDB_PROJECT" in os.environ else PROJECT,
            id=self._told.tracker_id or None,
            resume="allow" if self._told.tracker_id else None,
            name=run_dir.name,
            dir=run_dir,
            config=dict(configuration),
            mode=None if is_logged_in else "offline",
            settings=wandb.Settings(silent=True, console="off", disable_git=True, disable_code=True),
        )
        if not self._told.tracker_id:
            self._told.begin(self._run.id)
        self._run.define_metric("episodes")
        self._run.define_metric("*", step_metric="episodes")

    def log(self, scalars: Mapping[str, float], total_episodes: int) -> None:
        """Send scalars, unless they were sent before the run was resumed."""
        if self._told.is_new(total_episodes):
            self._run.log({"episodes": total_episodes, **scalars})

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()
        self._told.close()
