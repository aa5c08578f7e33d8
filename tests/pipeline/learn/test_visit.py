from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.learn.visit import JUDGED_EPISODES, Schedule, Visit, VisitLimits
from pipeline.ppo.batch import BatchStatistics
from pipeline.ppo.recipe import DEFAULT
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
    again = replace(visit, num_updates=0, num_episodes=0, best_total_reward=-math.inf, updates_since_best=0, judged=())
    assert again == NEW


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
        part=st.sampled_from(["search", "finals"]),
        judged=st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 1)), max_size=3).map(tuple),
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
    num_episodes = changes.pop("num_episodes", 32)
    visit = replace(NEW, num_updates=1, num_episodes=num_episodes, judged=((32, compliance),), **changes)

    assert replace(LIMITS, **limits).reason_to_stop(visit) == reason


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 1)), min_size=1, max_size=30))
def test_a_visit_is_judged_by_its_newest_episodes(batches: list[tuple[int, float]]) -> None:
    visit = NEW
    for num_episodes, compliance in batches:
        visit = visit.after(replace(statistics(-20.0, num_episodes), compliance=compliance))
    newest: list[tuple[int, float]] = []
    for batch in reversed(batches):  # whole batches, as few as have so many episodes
        newest.insert(0, batch)
        if sum(num for num, _ in newest) >= JUDGED_EPISODES:
            break
    assert visit.judged == tuple(newest)
    mean = sum(num * compliance for num, compliance in newest) / sum(num for num, _ in newest)
    assert visit.compliance == pytest.approx(mean)


def test_one_lucky_batch_ends_no_visit() -> None:
    visit = NEW
    for compliance in (0.9, 0.9, 0.9, 1.0):
        visit = visit.after(replace(statistics(-20.0), compliance=compliance))
    assert replace(LIMITS, max_episodes=1000, patience=9).reason_to_stop(visit) is None


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(0, 10**7))
def test_a_schedule_runs_from_its_first_episode_over_so_many(first: int, num: int, now: int) -> None:
    schedule = Schedule(DEFAULT, first, num)
    assert (schedule.progress(first), schedule.progress(first + num)) == (0.0, 1.0)
    assert 0 <= schedule.progress(now) <= 1
    assert schedule.progress(now) <= schedule.progress(now + 1)


def test_the_tighter_limit_counts() -> None:
    assert LIMITS.episodes_left == 100
    assert replace(LIMITS, budget=7).episodes_left == 7
