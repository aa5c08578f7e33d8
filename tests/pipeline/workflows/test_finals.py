from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.types import Estimate, Score
from pipeline.workflows.finals import Finals

rewards = st.one_of(st.none(), st.floats(-1300, 0))


def score(greedy: float | None) -> Score | None:
    return None if greedy is None else Score(1000, Estimate(-99.0, 0.3), 0.97, Estimate(greedy, 0.3), 0.97)


@pytest.mark.parametrize("finalists", [[], [3, 4, 3]])
def test_finals_are_between_different_orders(finalists: list[int]) -> None:
    with pytest.raises(ValueError, match="between different orders"):
        Finals(finalists)


@given(st.lists(rewards, min_size=1, max_size=5), st.integers(0, 5))
def test_the_winner_has_the_highest_greedy_reward_so_far(results: list[float | None], num_done: int) -> None:
    finalists = [100 - place for place in range(len(results))]
    finals, counted = Finals(finalists), []
    for workflow_id, greedy in list(zip(finalists, results, strict=True))[:num_done]:
        assert finals.left[0] == workflow_id
        finals.finish(workflow_id, score(greedy))
        if greedy is not None:
            counted.append((greedy, workflow_id))
    assert finals.left == tuple(finalists[num_done:])
    if counted:
        assert finals.winner is not None
        best = max(greedy for greedy, _ in counted)
        assert finals.winner[0] == next(w for greedy, w in counted if greedy == best)
        assert finals.winner[1] == score(best)
    else:
        assert finals.winner is None
    again = Finals.from_state(json.loads(json.dumps(finals.state())))
    assert (again.left, again.winner, again.state()) == (finals.left, finals.winner, finals.state())


def test_nobody_is_left_when_they_are_over() -> None:
    finals = Finals([7])
    finals.finish(7, None)
    with pytest.raises(ValueError, match=r"workflow 7 can't have been trained: the finalists left are \(\)"):
        finals.finish(7, None)


def test_they_may_end_in_any_order() -> None:
    finals = Finals([7, 8, 9])
    finals.finish(9, score(-15.0))
    assert finals.left == (7, 8)
    finals.finish(7, score(-15.0))
    assert finals.winner == (7, score(-15.0))  # the first of equals, whoever was there first
    again = Finals.from_state(json.loads(json.dumps(finals.state())))
    assert (again.left, again.winner) == ((8,), finals.winner)
