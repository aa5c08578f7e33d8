from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.workflows.observations import Observation, Pooled, pool, repeats

if TYPE_CHECKING:
    from random import Random


@pytest.mark.parametrize(
    ("workflow_id", "reward", "stderr", "complaint"),
    [
        (-1, -20.0, 1.0, "does not exist"),
        (120, -20.0, 1.0, "does not exist"),
        (3, math.nan, 1.0, "can't be observed"),
        (3, -math.inf, 1.0, "can't be observed"),
        (3, -20.0, math.nan, "no standard error"),
        (3, -20.0, math.inf, "no standard error"),
        (3, -20.0, -0.1, "no standard error"),
    ],
)
def test_what_is_no_observation_is_refused(workflow_id: int, reward: float, stderr: float, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Observation(workflow_id, reward, stderr)


def test_visits_to_one_order_are_pooled() -> None:
    visits = [Observation(5, -20.0, 1.0), Observation(2, -30.0, 2.0), Observation(5, -22.0, 7.0)]
    assert pool(visits) == [Pooled(2, -30.0, 2.0, 1, 0.0), Pooled(5, -21.0, 5.0, 2, 2.0)]
    assert pool([]) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-1300, -12), st.floats(0, 9)), max_size=20), st.randoms())
def test_pooling_does_not_depend_on_the_order_of_the_visits(
    visits: list[tuple[int, float, float]], random: Random
) -> None:
    observations = [Observation(*visit) for visit in visits]
    shuffled = observations.copy()
    random.shuffle(shuffled)
    assert pool(observations) == pool(shuffled)


def test_a_visit_repeats_if_its_order_was_observed_before() -> None:
    visits = [Observation(workflow_id, -20.0, 1.0) for workflow_id in (3, 5, 3, 7)]
    assert [repeats(visits[:num]) for num in range(5)] == [False, False, False, True, False]
