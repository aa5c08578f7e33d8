"""The two CSV files of a run: one line per update, one line per pick of the search."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from pipeline.persist.files import Log
from pipeline.types import UpdateResult, WorkflowFinished

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from pathlib import Path

    from pipeline.types import Event

TRAINING_LOG = "training_log.csv"
GP_SAMPLING_LOG = "gp_sampling_log.csv"

TRAINING_COLUMNS = (
    *("Workflow_ID", "Workflow_Order", "Update", "Episodes", "Env_Reward", "Alignment_Bonus", "Total_Reward"),
    *("Compliance", "Avg_Fixes", "Collection_Time", "Update_Time"),
    *("Env_Reward_Stderr", "Total_Episodes"),
    *("Policy_Loss", "Value_Loss", "Entropy", "Approx_KL", "Clip_Fraction", "Epochs", "Learning_Rate"),
)
GP_SAMPLING_COLUMNS = (
    *("Iteration", "Workflow", "UCB_Score", "Reward", "Final_Compliance", "Episodes_Trained", "GP_Updated"),
    *("Env_Reward_Stderr", "Reason", "Part", "Total_Episodes"),
    *("Evaluation_Episodes", "Greedy_Env_Reward", "Greedy_Env_Reward_Stderr", "Greedy_Compliance"),
)


class CsvLog:
    """Writes both files, line by line. Resuming cuts off the lines that came after the checkpoint."""

    def __init__(
        self,
        run_dir: Path,
        sizes: dict[str, int] | None = None,
        thread: Executor | None = None,
        *,
        total_episodes: int = 0,
    ) -> None:
        """Open both files.

        Args:
            run_dir: The run's folder.
            sizes: Bytes to keep of each file, when resuming.
            thread: Writes the lines; see `Log`.
            total_episodes: That the run has used before, when resuming.

        Raises:
            WriteError: If one can't be opened.
        """
        self._total_episodes = total_episodes
        self._training = _open(run_dir / TRAINING_LOG, TRAINING_COLUMNS, sizes, thread)
        try:
            self._gp_sampling = _open(run_dir / GP_SAMPLING_LOG, GP_SAMPLING_COLUMNS, sizes, thread)
        except BaseException:
            self._training.close()
            raise

    def __call__(self, event: Event) -> None:
        """Write the line of an event that has one.

        Raises:
            WriteError: If the disk is full, say.
        """
        if isinstance(event, UpdateResult):
            self._total_episodes = event.total_episodes
            _write(self._training, _training_row(event))
        elif isinstance(event, WorkflowFinished):
            _write(self._gp_sampling, _gp_sampling_row(event, self._total_episodes))

    def sizes(self) -> dict[str, int]:
        """Return the bytes written to each file so far."""
        return {TRAINING_LOG: self._training.size_bytes, GP_SAMPLING_LOG: self._gp_sampling.size_bytes}

    def check(self) -> None:
        """Raise `WriteError` if a line could not be written."""
        self._training.check()
        self._gp_sampling.check()

    def close(self) -> None:
        """Close both files."""
        self._training.close()
        self._gp_sampling.close()


def _open(path: Path, columns: tuple[str, ...], sizes: dict[str, int] | None, thread: Executor | None) -> Log:
    log = Log(path, sizes.get(path.name) if sizes is not None else None, thread)
    if log.size_bytes == 0:
        try:
            _write(log, columns)
        except BaseException:
            log.close()
            raise
    return log


def _write(log: Log, row: tuple[object, ...]) -> None:
    csv.writer(log, lineterminator="\n").writerow(row)


def _training_row(update: UpdateResult) -> tuple[object, ...]:
    return (
        update.workflow_id,
        update.workflow_order,
        update.update,
        update.num_episodes,
        f"{update.env_reward.mean:.4f}",
        f"{update.alignment_bonus:.4f}",
        f"{update.total_reward:.4f}",
        f"{update.compliance:.4f}",
        f"{update.avg_fixes:.2f}",
        f"{update.collection_s:.3f}",
        f"{update.update_s:.3f}",
        f"{update.env_reward.stderr:.4f}",
        update.total_episodes,
        f"{update.policy_loss:.6f}",
        f"{update.value_loss:.6f}",
        f"{update.entropy:.4f}",
        f"{update.approx_kl:.6f}",
        f"{update.clip_fraction:.4f}",
        update.num_epochs,
        f"{update.learning_rate:.6g}",
    )


def _gp_sampling_row(finished: WorkflowFinished, total_episodes: int) -> tuple[object, ...]:
    result, score = finished.result, finished.result.score
    greedy = score.greedy_env_reward
    return (
        finished.iteration,
        finished.workflow_order,
        "" if math.isnan(finished.ucb_score) else f"{finished.ucb_score:.4f}",
        f"{score.env_reward.mean:.4f}",
        f"{score.compliance:.4f}",
        result.num_episodes,
        finished.gp_updated,
        f"{score.env_reward.stderr:.4f}",
        result.reason,
        finished.part,
        total_episodes,
        score.num_evaluated,
        f"{greedy.mean:.4f}" if greedy else "",
        f"{greedy.stderr:.4f}" if greedy else "",
        "" if score.greedy_compliance is None else f"{score.greedy_compliance:.4f}",
    )
