from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.workflows.observations import Observation, each_once

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


@given(st.sets(st.integers(0, 119), max_size=20), st.randoms())
def test_observations_are_put_in_order(ids: set[int], random: Random) -> None:
    observations = [Observation(workflow_id, -20.0 - workflow_id, 1.0) for workflow_id in ids]
    random.shuffle(observations)
    assert [each.workflow_id for each in each_once(observations)] == sorted(ids)


def test_two_of_one_order_are_refused() -> None:
    visits = [Observation(5, -20.0, 1.0), Observation(2, -30.0, 2.0), Observation(5, -22.0, 7.0)]
    with pytest.raises(ValueError, match="workflow 5 is observed twice: give its latest"):
        each_once(visits)
