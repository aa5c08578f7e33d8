"""What the search knows of a workflow: what its policy is worth, by the latest evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Observation:
    """What a workflow's policy is worth.

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


def each_once(observations: Iterable[Observation]) -> list[Observation]:
    """Return observations of different orders by ascending id, whatever order they come in.

    Raises:
        ValueError: There are two of one order. What a policy is worth is what its latest evaluation says: earlier ones
        are of another policy.
    """
    by_id = sorted(observations, key=lambda observation: observation.workflow_id)
    for one, next_one in pairwise(by_id):
        if one.workflow_id == next_one.workflow_id:
            raise ValueError(f"workflow {one.workflow_id} is observed twice: give its latest evaluation alone")
    return by_id
