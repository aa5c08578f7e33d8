"""What a trained policy is worth: fresh episodes that nobody learns from, played by sampling and without."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.facts.compliance import episode_compliance
from pipeline.ppo.batch import RowFilledError
from pipeline.types import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from pipeline.learn.intake import Intake

_STRIDE = 1 << 20
"""Indices between the first episodes of two evaluations, so that no two share a seed: room for all 120 orders."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What one order's episodes were like."""

    env_reward: Estimate
    """Return per episode, in points."""
    compliance: float
    """Mean over the episodes, 0 to 1."""


class Tally:
    """Return and compliance of each of `N` episodes; nothing else is kept.

    Args:
        num_episodes: `N`.

    Attributes:
        returns_tenths: `[N]` int64, tenths of a point.
        compliance: `[N]` float64, 0 to 1.
    """

    def __init__(self, num_episodes: int) -> None:
        self.returns_tenths = np.zeros(num_episodes, np.int64)
        self.compliance = np.zeros(num_episodes)
        self._filled = np.zeros(num_episodes, np.bool_)
        self.num_filled = 0

    @property
    def full(self) -> bool:
        """Whether every row has been put."""
        return self.num_filled == len(self._filled)

    def put(self, row: int, record: Mapping[str, npt.NDArray[Any]], workflow_id: int) -> None:
        """Note an episode.

        Raises:
            RowFilledError: The row has been put before.
        """
        if self._filled[row]:
            raise RowFilledError(row)
        self.returns_tenths[row] = record["reward_tenths"].sum(dtype=np.int64)
        self.compliance[row] = episode_compliance(record["fix"])
        self._filled[row] = True
        self.num_filled += 1

    def worth(self, rows: slice) -> Worth:
        """Return what some of the episodes were like; sums of whole tenths, so that rounding has no say in it."""
        returns = self.returns_tenths[rows]  # [n]
        num = len(returns)
        spread = float(returns.std(ddof=1)) / 10 if num > 1 else 0.0
        env_reward = Estimate(int(returns.sum()) / (10 * num), spread / math.sqrt(num))
        return Worth(env_reward, float(self.compliance[rows].mean()))


async def evaluate(
    intake: Intake,
    weights: npt.NDArray[np.float32],
    workflow_ids: Sequence[int],
    *,
    num_episodes: int,
    evaluation_index: int,
    greedy: Sequence[bool] = (False,),
) -> list[list[Worth]]:
    """Play fresh episodes with one actor for several orders.

    Seeds are apart from those of training (`seeding.Stream`), and the same with and without sampling.

    Args:
        intake: Where episodes are asked for.
        weights: The actor, flat float32.
        workflow_ids: The orders.
        num_episodes: Per order, up to `config.MAX_EVALUATION_EPISODES`.
        evaluation_index: Unique in the run: no two evaluations play the same episodes.
        greedy: Whether to take the likeliest action at each step instead of sampling; for each value all is played.

    Returns:
        For each value of `greedy` the worth of each order.
    """
    version = intake.publish(weights)
    tallies = [Tally(len(workflow_ids) * num_episodes) for _ in greedy]
    fillings = [
        intake.open(
            tally,
            [workflow_id for workflow_id in workflow_ids for _ in range(num_episodes)],
            first_episode=evaluation_index * _STRIDE,
            weight_version=version,
            evaluation=True,
            greedy=is_greedy,
        )
        for tally, is_greedy in zip(tallies, greedy, strict=True)
    ]
    try:
        for filling in fillings:
            await filling.full.wait()
    finally:
        for filling in fillings:
            intake.forget(filling)
    return [
        [tally.worth(slice(i * num_episodes, (i + 1) * num_episodes)) for i in range(len(workflow_ids))]
        for tally in tallies
    ]
