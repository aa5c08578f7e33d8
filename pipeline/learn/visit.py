"""How long a workflow is trained, and how fast it learns meanwhile: the pure part of a visit."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.ppo.batch import BatchStatistics
    from pipeline.ppo.recipe import Recipe
    from pipeline.types import Part, VisitEnd

JUDGED_EPISODES = 128
"""Newest episodes of a visit by whose mean compliance it ends: that of one batch is now and then high by chance."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One stay with a workflow, from the search's pick to its verdict."""

    iteration: int
    """Of the search."""
    workflow_id: int
    ucb_score: float
    first_update: int
    """The policy's updates before the visit."""
    first_episode: int
    """The policy's episodes before the visit."""
    budget: int
    """Episodes that it may use: its share of what its part of the run had left when it began."""
    part: Part = "search"
    num_updates: int = 0
    """Updates of the visit so far."""
    num_episodes: int = 0
    """Episodes of the visit so far."""
    best_total_reward: float = -math.inf
    """Highest mean total reward of an update so far."""
    updates_since_best: int = 0
    judged: tuple[tuple[int, float], ...] = ()
    """Episodes and mean compliance of the newest batches, which have `JUDGED_EPISODES` together or just more."""

    @property
    def compliance(self) -> float:
        """Mean over the newest episodes; 0 before the first batch."""
        num_episodes = sum(num for num, _ in self.judged)
        return math.fsum(num * mean for num, mean in self.judged) / num_episodes if num_episodes else 0.0

    def after(self, statistics: BatchStatistics) -> Visit:
        """Return the visit as it is once a batch has been learned from."""
        judged = [*self.judged, (statistics.num_episodes, statistics.compliance)]
        while sum(num for num, _ in judged[1:]) >= JUDGED_EPISODES:
            del judged[0]
        is_best = statistics.total_reward > self.best_total_reward
        return replace(
            self,
            num_updates=self.num_updates + 1,
            num_episodes=self.num_episodes + statistics.num_episodes,
            best_total_reward=statistics.total_reward if is_best else self.best_total_reward,
            updates_since_best=0 if is_best else self.updates_since_best + 1,
            judged=tuple(judged),
        )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},  # after each update: asdict is slow
            "best_total_reward": _finite(self.best_total_reward),
            "ucb_score": _finite(self.ucb_score),
            "judged": [list(batch) for batch in self.judged],
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> Visit:
        """Return a visit that was written by `to_json`."""
        best, score = state["best_total_reward"], state["ucb_score"]
        return cls(
            **{
                **state,
                "best_total_reward": -math.inf if best is None else best,
                "ucb_score": math.nan if score is None else score,
                "judged": tuple((num, mean) for num, mean in state["judged"]),
            }
        )


@dataclass(frozen=True, slots=True)
class VisitLimits:
    """What ends a visit."""

    compliance_threshold: float
    patience: int
    """Updates without a better mean total reward."""
    max_episodes: int
    """Episodes that the workflow may still use."""
    budget: int
    """Episodes that the visit's part of the run may still use."""
    min_episodes: int = 0
    """Episodes before which the threshold doesn't end it."""

    @classmethod
    def of_budget(cls, budget: int) -> VisitLimits:
        """Return limits of which nothing but the episodes ends a visit."""
        return cls(compliance_threshold=math.inf, patience=sys.maxsize, max_episodes=sys.maxsize, budget=budget)

    @property
    def episodes_left(self) -> int:
        """Episodes that the visit may use at most."""
        return min(self.max_episodes, self.budget)

    def reason_to_stop(self, visit: Visit) -> VisitEnd | None:
        """Return why a visit ends with the batch just collected, or None if it goes on.

        Args:
            visit: The visit, that batch included.

        Returns:
            `threshold`, `cap`, `budget`, `patience` or None, the first that holds.
        """
        long_enough = visit.num_episodes >= min(self.min_episodes, self.episodes_left)
        if long_enough and visit.compliance >= self.compliance_threshold:
            return "threshold"
        if visit.num_episodes >= self.episodes_left:
            return "cap" if self.max_episodes <= self.budget else "budget"
        if visit.updates_since_best >= self.patience:
            return "patience"
        return None


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a visit learns by, and where it stands in what changes as training goes on."""

    recipe: Recipe
    first_episode: int
    """The policy's episodes when learning rate and entropy weight are at their first values."""
    num_episodes: int
    """From there to their last values; `>= 1`."""

    def progress(self, num_episodes: int) -> float:
        """Return how far a policy of so many episodes is, 0 to 1."""
        return min(1.0, max(0, num_episodes - self.first_episode) / self.num_episodes)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
