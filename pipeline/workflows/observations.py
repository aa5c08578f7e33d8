"""What the search was told: visits to workflows, and all visits to one workflow taken together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from pipeline.cage2.facts.orders import NUM_WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Observation:
    """What one visit to a workflow was worth.

    Raises:
        ValueError: A value is out of its range.
    """

    workflow_id: int
    """0 to 119."""
    env_reward: float
    """Mean return of its evaluation episodes, in points; finite."""
    stderr: float
    """Standard error of that mean, in points; `>= 0`. 0 if unknown: the learned noise then stands in for it."""
    num_episodes: int = 0
    """Episodes that the mean is over; 0 if unknown."""

    def __post_init__(self) -> None:
        if not 0 <= self.workflow_id < NUM_WORKFLOWS:
            raise ValueError(f"workflow {self.workflow_id} does not exist: ids run from 0 to {NUM_WORKFLOWS - 1}")
        if not math.isfinite(self.env_reward):
            raise ValueError(f"workflow {self.workflow_id}: an env reward of {self.env_reward} can't be observed")
        if not (math.isfinite(self.stderr) and self.stderr >= 0):
            raise ValueError(f"workflow {self.workflow_id}: {self.stderr} is no standard error")


@dataclass(frozen=True, slots=True)
class Pooled:
    """All visits to one workflow: what is sufficient to know of them."""

    workflow_id: int
    env_reward: float
    """Plain mean over the visits, in points."""
    stderr: float
    """Of one visit: the root of the mean squared standard error, in points."""
    num_visits: int
    scatter: float
    """Sum over the visits of the squared distance to their mean, in squared points; 0 for one visit."""


def pool(observations: Iterable[Observation]) -> list[Pooled]:
    """Take the visits to each workflow together.

    The mean is plain. To weight by `1 / stderr**2` would favour lucky batches: where returns have a heavy lower tail,
    a batch without a disaster has both a high mean and a small error.

    Returns:
        One entry per observed workflow, by ascending id, whatever the order of `observations`.
    """
    by_workflow = groupby(sorted(observations, key=_workflow_id), key=_workflow_id)
    return [_pooled(workflow_id, list(visits)) for workflow_id, visits in by_workflow]


def repeats(observations: Sequence[Observation]) -> bool:
    """Return whether the last visit was to an order that had been observed before."""
    return bool(observations) and any(
        observation.workflow_id == observations[-1].workflow_id for observation in observations[:-1]
    )


def _pooled(workflow_id: int, visits: Sequence[Observation]) -> Pooled:
    num = len(visits)
    # `fsum` rounds once, so that the order of the visits makes no difference; `**` rounds by the processor
    mean = math.fsum(visit.env_reward for visit in visits) / num
    mean_square = math.fsum(visit.stderr * visit.stderr for visit in visits) / num
    stderr = visits[0].stderr if num == 1 else math.sqrt(mean_square)
    scatter = math.fsum((visit.env_reward - mean) * (visit.env_reward - mean) for visit in visits)
    return Pooled(workflow_id, mean, stderr, num, scatter)


def _workflow_id(observation: Observation) -> int:
    return observation.workflow_id
