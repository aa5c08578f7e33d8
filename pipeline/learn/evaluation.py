"""What a trained policy is worth: fresh episodes that nobody learns from, played by sampling and without."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.facts.compliance import episode_compliance
from pipeline.estimates import estimate_of_tenths
from pipeline.filling import BatchPlan
from pipeline.ppo.batch import RowFilledError
from pipeline.types import Score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from pipeline.filling import Filling
    from pipeline.types import Estimate

STRIDE = 1 << 20
"""Indices between the first episodes of two evaluations, so that no two share a seed: room for all 120 orders."""


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

    def mean(self, rows: slice) -> tuple[Estimate, float]:
        """Return some episodes' mean return in points, and their mean compliance, 0 to 1."""
        return estimate_of_tenths(self.returns_tenths[rows]), float(self.compliance[rows].mean())


@dataclass(frozen=True, slots=True)
class EvaluationStatistics:
    """What evaluations took so far, in this process."""

    num_episodes: int
    """Of evaluations that are over."""
    wait_s: float
    """Seconds waiting for them."""


class Evaluator:
    """Has fresh episodes played, and says what they were like."""

    def __init__(
        self,
        publish: Callable[[npt.NDArray[np.float32]], int],
        open_batch: Callable[[BatchPlan, Tally], Filling[Tally]],
    ) -> None:
        """Args: publish: lets weights be played with. open_batch: asks for the episodes of a plan, for a tally."""
        self._publish = publish
        self._open_batch = open_batch
        self._num_episodes = 0
        self._wait_s = 0.0

    def statistics(self) -> EvaluationStatistics:
        """Return what evaluations took so far."""
        return EvaluationStatistics(self._num_episodes, self._wait_s)

    async def evaluate(
        self,
        weights: npt.NDArray[np.float32],
        workflow_ids: Sequence[int],
        *,
        num_episodes: int,
        evaluation_index: int,
        greedy_too: bool,
    ) -> list[Score]:
        """Play fresh episodes with one actor for several orders.

        Seeds are apart from those of training (`seeding.Stream`), and the same with and without sampling.

        Args:
            weights: The actor, flat float32.
            workflow_ids: The orders.
            num_episodes: Per order, up to `config.MAX_EVALUATION_EPISODES`.
            evaluation_index: Unique in the run: no two evaluations play the same episodes.
            greedy_too: Whether to play all of it again, taking the likeliest action at each step instead of sampling.

        Returns:
            The score of each order.
        """
        version = self._publish(weights)
        started_s = time.monotonic()
        fillings: list[Filling[Tally]] = []
        try:
            for greedy in (False, True) if greedy_too else (False,):
                plan = BatchPlan(
                    tuple(workflow_id for workflow_id in workflow_ids for _ in range(num_episodes)),
                    first_episode=evaluation_index * STRIDE,
                    weight_version=version,
                    evaluation=True,
                    greedy=greedy,
                )
                fillings.append(self._open_batch(plan, Tally(plan.num_episodes)))
            for filling in fillings:
                await filling.full.wait()
        finally:
            for filling in fillings:
                filling.close()
        self._wait_s += time.monotonic() - started_s
        self._num_episodes += sum(filling.plan.num_episodes for filling in fillings)
        parts = [slice(i * num_episodes, (i + 1) * num_episodes) for i in range(len(workflow_ids))]
        means = [[filling.rows.mean(part) for filling in fillings] for part in parts]  # sampled, and greedy if played
        return [Score(num_episodes, *sampled, *(greedy[0] if greedy else (None, None))) for sampled, *greedy in means]
