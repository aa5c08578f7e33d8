"""TensorBoard files of a run, behind the `tensorboard` extra."""

from __future__ import annotations

import errno
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pipeline.errors import SetupError
from pipeline.persist.files import WriteError
from pipeline.types import UpdateResult, WorkflowFinished

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from pipeline.types import Event


class TensorBoardMissingError(SetupError):
    """TensorBoard was asked for and isn't installed."""

    def __init__(self) -> None:
        super().__init__("--tensorboard needs the extra: pip install '.[tensorboard]'")


def require_tensorboard() -> None:
    """Raise `TensorBoardMissingError` if the extra isn't installed."""
    if find_spec("tensorboard") is None:
        raise TensorBoardMissingError


class TensorBoardLog:
    """Writes the scalars of updates, by the episodes that the run has used, and of finished workflows."""

    def __init__(self, run_dir: Path, total_episodes: int = 0, thread: Executor | None = None) -> None:
        """Open the files.

        Args:
            run_dir: The run's folder.
            total_episodes: Episodes used before, when resuming; what was written beyond them is hidden.
            thread: One thread that writes: TensorBoard's own queue is short, and whoever fills it waits for the disk.
                By default the caller's own.

        Raises:
            WriteError: If something else than a folder has its name.
        """
        from torch.utils.tensorboard.writer import SummaryWriter  # an extra: may be missing

        folder = run_dir / "tensorboard"
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise WriteError(folder, OSError(errno.ENOTDIR, "Not a folder of the run's own"))
        self._writer = SummaryWriter(str(folder), purge_step=total_episodes + 1 if total_episodes else None)
        self._total_episodes = total_episodes
        self._thread = thread

    def __call__(self, event: Event) -> None:
        """Write the scalars of an event that has any."""
        if isinstance(event, UpdateResult):
            self._total_episodes = event.total_episodes
            scalars = {
                "episode/env_reward": event.env_reward.mean,
                "episode/alignment_bonus": event.alignment_bonus,
                "episode/total_reward": event.total_reward,
                "episode/compliance": event.compliance,
                "episode/fixes": event.avg_fixes,
                "losses/policy": event.policy_loss,
                "losses/value": event.value_loss,
                "losses/entropy": event.entropy,
                "losses/approx_kl": event.approx_kl,
                "losses/clip_fraction": event.clip_fraction,
                "seconds/collection": event.collection_s,
                "seconds/update": event.update_s,
            }
        elif isinstance(event, WorkflowFinished):
            scalars = {
                "search/env_reward": event.result.score.env_reward.mean,
                "search/compliance": event.result.score.compliance,
            }
        else:
            return
        if self._thread is None:
            self._write(scalars, self._total_episodes)
        else:
            self._thread.submit(self._write, scalars, self._total_episodes)

    def close(self) -> None:
        """Write what is left, flush and close the files."""
        if self._thread is None:
            self._writer.close()
        else:
            self._thread.submit(self._writer.close).result()

    def _write(self, scalars: dict[str, float], total_episodes: int) -> None:
        """Write scalars. On a thread, what fails is lost: plots are no reason to end a run."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, total_episodes)
