from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.types import Estimate, Score
from pipeline.workflows.finals import MIN_GAIN, Finals, finalists

rewards = st.one_of(st.none(), st.floats(-1300, 0))


def score(greedy: float | None) -> Score | None:
    return None if greedy is None else Score(1000, Estimate(-99.0, 0.3), 0.97, Estimate(greedy, 0.3), 0.97)


def again(finals: Finals) -> Finals:
    return Finals.from_state(json.loads(json.dumps(finals.state())))


@pytest.mark.parametrize("several", [[], [3, 4, 3]])
def test_finals_are_between_different_orders(several: list[int]) -> None:
    with pytest.raises(ValueError, match="between different orders"):
        Finals(several, 1000)


def test_finals_need_episodes() -> None:
    with pytest.raises(ValueError, match="can't be held with 0 episodes"):
        Finals([3], 0)


@given(st.lists(rewards, min_size=2, max_size=5), rewards)
def test_the_best_of_the_heats_goes_on(heats: list[float | None], end: float | None) -> None:
    several = [100 - place for place in range(len(heats))]
    finals = Finals(several, 1000)
    for num_done, (workflow_id, greedy) in enumerate(zip(several, heats, strict=True)):
        assert finals.are_heats
        assert finals.left == tuple(several[num_done:])
        finals.finish(workflow_id, score(greedy))
        assert again(finals).state() == finals.state()
        assert (again(finals).left, again(finals).ranking) == (finals.left, finals.ranking)
    assert not finals.are_heats
    counted = {w: greedy for w, greedy in zip(several, heats, strict=True) if greedy is not None}
    if not counted:
        assert (finals.left, finals.ranking) == ((), [])
        return
    winner = max(counted, key=lambda w: (counted[w], w))  # the first of equals: ids fall
    assert finals.left == (winner,)
    assert finals.ranking[0] == (winner, score(counted[winner]))
    finals.finish(winner, score(end))
    assert finals.left == again(finals).left == ()
    counted.pop(winner)
    if end is not None:
        counted[winner] = end
    in_order = sorted(counted, key=lambda w: (-counted[w], -w))
    assert finals.ranking == [(w, score(counted[w])) for w in in_order]  # where the winner is judged by its end


@given(st.integers(1, 10), st.integers(1, 100_000))
def test_one_half_is_for_the_heats_and_one_for_the_winner(num: int, num_episodes: int) -> None:
    finals = Finals(range(num), num_episodes)
    heats = finals.heat_episodes * num
    rest = finals.winners_episodes - finals.heat_episodes
    if num == 1:
        assert (heats, rest) == (num_episodes, 0)
    elif num_episodes >= 2 * num:
        assert heats + rest == num_episodes
        assert 0 <= rest - heats < 2 * num  # halves, but for what heats can't share


def test_what_a_finalist_came_to_is_forgotten_when_its_policy_is_another() -> None:
    finals = Finals([7, 8], 1000)
    for workflow_id, greedy in ((7, -14.0), (8, -15.0), (7, -13.0)):
        finals.finish(workflow_id, score(greedy))
    finals.forget(7)
    finals.forget(99)
    assert ([w for w, _ in finals.ranking], finals.left, finals.are_heats) == ([8], (), False)


def test_a_finalist_without_rivals_has_one_visit() -> None:
    finals = Finals([7], 1000)
    finals.finish(7, score(-15.0))
    assert finals.left == again(finals).left == ()


def test_nobody_is_left_when_they_are_over() -> None:
    finals = Finals([7], 1000)
    finals.finish(7, None)
    with pytest.raises(ValueError, match=r"workflow 7 can't have been trained: the finalists left are \(\)"):
        finals.finish(7, None)


def test_heats_may_end_in_any_order() -> None:
    finals = Finals([7, 8, 9], 1000)
    finals.finish(9, score(-15.0))
    assert finals.left == (7, 8)
    finals.finish(7, score(-15.0))
    assert [w for w, _ in finals.ranking] == [7, 9]  # the first of equals, whoever was there first
    assert (again(finals).left, again(finals).ranking) == ((8,), finals.ranking)


@pytest.mark.parametrize("scores", [[{"workflow_id": 9, "score": None}], [{"workflow_id": 7, "score": None}] * 2])
def test_a_state_with_scores_of_nobody_is_refused(scores: list[object]) -> None:
    with pytest.raises(ValueError, match="is no finalist, or has two scores"):
        Finals.from_state(
            {"finalists": [7, 8], "num_episodes": 9, "champion": None, "scores": scores, "is_over": False}
        )


# Who is in them


def test_finalists_are_good_where_the_others_are_not() -> None:
    """An order that is second in every sample adds nothing; one that is best in a few does."""
    values = np.full((100, 120), -90.0)
    values[:, 10], values[:, 20] = -20.0, -20.1
    values[:, 30] = np.where(np.arange(100) < 20, -18.0, -40.0)  # the mean is far below
    assert finalists(values, [10, 20, 30], [10], 4) == (10, 30)
    assert finalists(values, [10, 20, 30], [10], 1) == (10,)
    assert finalists(values, [10, 20], [10], 4) == (10,)
    assert finalists(values, [10, 30], [20, 10, 20], 4) == (20, 10, 30)  # whoever is in them anyway


def test_orders_that_were_not_observed_are_in_no_finals() -> None:
    values = np.full((100, 120), -90.0)
    values[:, 50] = -10.0
    assert finalists(values, [10], [10], 4) == (10,)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_finalists_one_at_a_time_come_close_to_the_best_choice(seed: int, num: int) -> None:
    values = np.random.default_rng(seed).normal(-20.0, 2.0, (64, 120))
    observed = range(8)

    def gain(chosen: tuple[int, ...]) -> float:
        return float(values[:, list(chosen)].max(axis=1).mean() - values[:, 0].mean())

    chosen = finalists(values, observed, [0], num)
    assert len(set(chosen)) == len(chosen) <= num
    best = max(gain((0, *rest)) for rest in combinations(range(1, 8), num - 1))
    assert gain(chosen) >= (1 - 1 / np.e) * best - num * MIN_GAIN
