from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.cage2.facts.orders import one_hot
from pipeline.ppo.distinct import distinct_inputs

WORKFLOWS = np.array([5, 119, 5], np.int64)


@given(
    st.integers(1, 130).flatmap(lambda num_bits: hnp.arrays(np.int8, (3, 4, num_bits), elements=st.integers(0, 1))),
    st.lists(st.integers(0, 119), min_size=3, max_size=3),
)
def test_distinct_inputs_put_together_are_all_inputs(observation: np.ndarray, workflows: list[int]) -> None:
    workflow_id = np.array(workflows, np.int64)
    inputs = distinct_inputs(observation, workflow_id)

    assert np.array_equal(inputs.observation[inputs.index], observation)
    assert np.array_equal(inputs.workflow_id[inputs.index], np.repeat(workflow_id, 4).reshape(3, 4))
    pairs = np.concatenate([observation.reshape(12, -1), np.repeat(workflow_id, 4)[:, None]], axis=1)
    assert len(inputs) == len(np.unique(pairs, axis=0))


@given(st.permutations(range(10)))
def test_their_order_depends_on_nothing_but_them(order: list[int]) -> None:
    rng = np.random.default_rng(0)
    observation, workflow_id = rng.integers(0, 2, (10, 3, 150)).astype(np.int8), rng.integers(0, 120, 10)
    one, other = distinct_inputs(observation, workflow_id), distinct_inputs(observation[order], workflow_id[order])

    assert np.array_equal(one.bits, other.bits)
    assert np.array_equal(one.workflow_id, other.workflow_id)


def test_networks_are_given_observation_and_order() -> None:
    observation = np.zeros((3, 1, 4), np.int8)
    observation[0, 0, 2] = 1
    inputs = distinct_inputs(observation, WORKFLOWS)

    assert len(inputs) == 3
    assert inputs.bits[inputs.index[0, 0]].tolist() == [0, 0, 1, 0, *one_hot(5).astype(int).tolist()]
    assert inputs.bits[inputs.index[1, 0]].tolist() == [0, 0, 0, 0, *one_hot(119).astype(int).tolist()]


@pytest.mark.parametrize("value", [-1, 2])
def test_an_observation_that_is_not_bits_is_refused(value: int) -> None:
    observation = np.zeros((3, 3, 52), np.int8)
    observation[1, 2, 51] = value
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        distinct_inputs(observation, WORKFLOWS)


@pytest.mark.parametrize("workflow_id", [WORKFLOWS[:2], np.append(WORKFLOWS, 0), WORKFLOWS[:, None]])
def test_each_episode_has_one_workflow(workflow_id: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"3 episodes need \[3\] workflows"):
        distinct_inputs(np.zeros((3, 3, 52), np.int8), workflow_id)
