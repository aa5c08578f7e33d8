"""TensorBoard files of a run, behind the `tensorboard` extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.utils.tensorboard.writer import SummaryWriter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class TensorBoardTracker:
    """Writes scalars to the folder `tensorboard` of a run.

    Args:
        run_dir: The run's folder.
        total_episodes: Episodes used before, when resuming; what was written beyond them is hidden.
    """

    def __init__(self, run_dir: Path, total_episodes: int = 0) -> None:
        purge_step = total_episodes + 1 if total_episodes else None
        self._writer = SummaryWriter(str(run_dir / "tensorboard"), purge_step=purge_step)

    def log(self, scalars: Mapping[str, float], total_episodes: int) -> None:
        """Write scalars. TensorBoard's own queue is short: who fills it waits for the disk."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, total_episodes)

    def close(self) -> None:
        """Write what is left, flush and close the files."""
        self._writer.close()
