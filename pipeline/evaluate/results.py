"""What an evaluation gives: numbers per scenario, and their sum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.estimates import estimate, estimate_of_tenths, sample_std
from pipeline.evaluate.scenario import PROTOCOL, Scenario
from pipeline.types import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pipeline.evaluate.task import Episodes

TENTHS = 10


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """How an agent did in one scenario."""

    scenario: Scenario
    num_episodes: int
    env_reward: Estimate
    """Raw environment reward of an episode, in points."""
    std: float
    """Standard deviation over the episodes, in points (of a sample: by n - 1); 0 for a single one."""
    compliance: Estimate | None
    """0 to 1; None for a baseline."""
    actions: dict[str, float]
    """How often each action was taken, per episode, by its name; the most frequent first, without those never taken."""


def summarize(scenario: Scenario, action_names: Sequence[str], parts: Sequence[Episodes]) -> ScenarioResult:
    """Return what a scenario's episodes come to.

    Args:
        scenario: Which.
        action_names: Of the agent's actions, in order.
        parts: All its episodes, by ascending index.
    """
    tenths = np.concatenate([part.return_tenths for part in parts])  # [B]
    std = sample_std(tenths / TENTHS)
    shares = [part.compliance for part in parts if part.compliance is not None]
    action_counts: npt.NDArray[np.int64] = np.sum([part.action_counts for part in parts], axis=0)  # [A]
    return ScenarioResult(
        scenario=scenario,
        num_episodes=len(tenths),
        env_reward=Estimate(estimate_of_tenths(tenths).mean, std / math.sqrt(len(tenths))),
        std=std,
        compliance=estimate(np.concatenate(shares)) if shares else None,
        actions=by_frequency(action_counts, action_names, len(tenths)),
    )


def by_frequency(
    action_counts: npt.NDArray[np.int64], action_names: Sequence[str], num_episodes: int
) -> dict[str, float]:
    """Return how often each action was taken, per episode; see `ScenarioResult.actions`.

    Args:
        action_counts: `[A]`, over all episodes.
        action_names: `[A]`.
        num_episodes: How many these were.
    """
    taken = sorted(enumerate(action_counts.tolist()), key=lambda action_and_count: -action_and_count[1])
    return {action_names[action]: count / num_episodes for action, count in taken if count}


def total_score(results: Sequence[ScenarioResult]) -> Estimate | None:
    """Return the sum of the nine means, as CAGE-2's leaderboard adds them; None unless all nine were played."""
    nine = [result.env_reward for result in results if result.scenario in PROTOCOL]
    if len(nine) < len(PROTOCOL):
        return None
    # the nine have no episode in common: their errors are independent
    return Estimate(math.fsum(each.mean for each in nine), math.hypot(*(each.stderr for each in nine)))
