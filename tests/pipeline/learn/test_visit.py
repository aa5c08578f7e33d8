from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.learn.visit import Visit, VisitLimits
from pipeline.ppo.batch import BatchStatistics
from pipeline.types import Estimate

NEW = Visit(iteration=2, workflow_id=7, ucb_score=-30.5, first_update=10, first_episode=320, budget=1000)
LIMITS = VisitLimits(compliance_threshold=0.95, patience=3, max_episodes=100, budget=1000)


def statistics(total_reward: float, num_episodes: int = 32) -> BatchStatistics:
    return BatchStatistics(
        num_episodes=num_episodes,
        env_reward=Estimate(total_reward - 1, 0.5),
        alignment_bonus=1.0,
        total_reward=total_reward,
        compliance=0.5,
        avg_fixes=2.0,
    )


@given(st.lists(st.tuples(st.floats(-2000, 50), st.integers(1, 64)), max_size=20))
def test_a_visit_counts_its_batches(batches: list[tuple[float, int]]) -> None:
    visit = NEW
    for total_reward, num_episodes in batches:
        visit = visit.after(statistics(total_reward, num_episodes))
    rewards = [total_reward for total_reward, _ in batches]

    assert visit.num_updates == len(batches)
    assert visit.num_episodes == sum(num_episodes for _, num_episodes in batches)
    assert visit.best_total_reward == max(rewards, default=-math.inf)
    # the first batch with the best reward: one that only equals it is no better
    assert visit.updates_since_best == (len(rewards) - 1 - rewards.index(max(rewards)) if rewards else 0)
    assert replace(visit, num_updates=0, num_episodes=0, best_total_reward=-math.inf, updates_since_best=0) == NEW


@given(
    st.builds(
        Visit,
        iteration=st.integers(0, 10**6),
        workflow_id=st.integers(0, 119),
        ucb_score=st.floats(allow_infinity=False),
        first_update=st.integers(0, 10**9),
        first_episode=st.integers(0, 10**9),
        budget=st.integers(1, 10**9),
        num_updates=st.integers(0, 10**9),
        num_episodes=st.integers(0, 10**9),
        best_total_reward=st.floats(allow_nan=False, min_value=-math.inf, max_value=1e300),
        updates_since_best=st.integers(0, 10**9),
    )
)
def test_a_visit_survives_json(visit: Visit) -> None:
    text = json.dumps(visit.to_json(), allow_nan=False)  # plain JSON has neither NaN nor infinity
    again = Visit.from_json(json.loads(text))

    assert math.isnan(again.ucb_score) == math.isnan(visit.ucb_score)
    if math.isnan(visit.ucb_score):  # which does not equal itself
        visit, again = replace(visit, ucb_score=0.0), replace(again, ucb_score=0.0)
    assert again == visit


@pytest.mark.parametrize(
    ("changes", "limits", "compliance", "reason"),
    [
        ({}, {}, 0.949, None),
        ({}, {}, 0.95, "threshold"),
        ({"num_episodes": 99}, {}, 0.5, None),
        ({"num_episodes": 100}, {}, 0.5, "cap"),
        ({"num_episodes": 100}, {"budget": 100}, 0.5, "cap"),
        ({"num_episodes": 60}, {"budget": 60}, 0.5, "budget"),
        ({"updates_since_best": 2}, {}, 0.5, None),
        ({"updates_since_best": 3}, {}, 0.5, "patience"),
        # the first that holds: a workflow that is learned is learned, however long it took
        ({"num_episodes": 100, "updates_since_best": 3}, {}, 1.0, "threshold"),
        ({"num_episodes": 100, "updates_since_best": 3}, {}, 0.5, "cap"),
        ({"num_episodes": 60, "updates_since_best": 3}, {"budget": 60}, 0.5, "budget"),
        ({}, {"compliance_threshold": 0.0}, 0.0, "threshold"),
    ],
)
def test_what_ends_a_visit(
    changes: dict[str, int], limits: dict[str, float], compliance: float, reason: str | None
) -> None:
    visit = replace(NEW, num_updates=1, num_episodes=changes.pop("num_episodes", 32), **changes)

    assert replace(LIMITS, **limits).reason_to_stop(visit, compliance) == reason


def test_the_tighter_limit_counts() -> None:
    assert LIMITS.episodes_left == 100
    assert replace(LIMITS, budget=7).episodes_left == 7
