"""What came of one run, as far as runs are compared by it: read from its folder, at any time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.observe.csv_log import TRAINING_LOG
from pipeline.persist.runs import read_config
from pipeline.reading.columns import Columns
from pipeline.reading.glance import glance
from pipeline.reading.owner import locked_files
from pipeline.reading.tail import Tail

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from pipeline.config import Config


@dataclass(frozen=True, slots=True)
class Rows:
    """A training log: an update per row, `[n]` float64 each."""

    workflow_id: npt.NDArray[np.float64]
    episodes: npt.NDArray[np.float64]
    """That the update learned from."""
    env_reward: npt.NDArray[np.float64]
    """Their mean return, in points."""
    total_episodes: npt.NDArray[np.float64]
    """That the run had used."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run. A run that names no defender has -inf for what a defender is worth."""

    run_dir: Path
    config: Config
    has_ended: bool
    """By its budget, or because nothing was left to try; only then its values count."""
    why: str
    """Its state in words."""
    defender: str | None
    """The order whose policy it names."""
    greedy: float
    """Mean return of fresh episodes of that policy, the likeliest action at each step, in points."""
    sampled: float
    """The same with sampled actions, as in training."""
    compliance: float
    """Of the greedy episodes, 0 to 1."""
    rows: Rows


def outcome_of(run_dir: Path) -> Outcome:
    """Return what came of a run so far.

    Args:
        run_dir: Its folder; read, and never written.

    Raises:
        RunFolderError: There is no run.
        OSError: Its training log can't be read.
    """
    seen = glance(run_dir, locked_files())
    end = seen.finished or {}
    columns = Columns(("Workflow_ID", "Episodes", "Env_Reward", "Total_Episodes"))
    for piece in Tail(run_dir / TRAINING_LOG).pieces():
        columns.extend(piece.lines)
    return Outcome(
        run_dir=run_dir,
        config=read_config(run_dir),
        has_ended=seen.state == "finished",
        why=seen.why,
        defender=end.get("best_workflow"),
        greedy=_number(end, "best_greedy_env_reward_mean"),
        sampled=_number(end, "best_env_reward_mean"),
        compliance=_number(end, "best_greedy_compliance"),
        rows=Rows(*(columns.column(name) for name in ("Workflow_ID", "Episodes", "Env_Reward", "Total_Episodes"))),
    )


def episodes_until(rows: Rows, threshold: float, window: int) -> float:
    """Return after how many of its episodes a run had a policy whose last `window` returns had a mean of a threshold.

    Each policy is looked at by itself; the first counts. Windows are of whole updates: `window` episodes or a few more.

    Returns:
        Episodes that the run had used; inf if that never was.
    """
    first = math.inf
    for workflow_id in np.unique(rows.workflow_id):
        own = rows.workflow_id == workflow_id
        episodes, rewards = rows.episodes[own], rows.env_reward[own]
        ends, sums = np.cumsum(episodes), np.cumsum(episodes * rewards)  # of the policy, after each update
        starts, sums_before = ends - episodes, sums - episodes * rewards
        begin = np.searchsorted(starts, ends - window, side="right") - 1  # the last start that leaves a window
        is_whole = begin >= 0
        begin = np.maximum(begin, 0)
        means = (sums - sums_before[begin]) / (ends - starts[begin])
        reached = np.flatnonzero(is_whole & (means >= threshold))
        if len(reached):
            first = min(first, float(rows.total_episodes[own][reached[0]]))
    return first


def _number(event: dict[str, Any], name: str) -> float:
    value = event.get(name)
    return float(value) if isinstance(value, int | float) else -math.inf
