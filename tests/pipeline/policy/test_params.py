from __future__ import annotations

import numpy as np
import pytest

from pipeline.policy.params import HIDDEN_SIZES, HIDDEN_STEP, MAX_HIDDEN_SIZE, PLAIN, MlpShape, PolicyShape


def test_sizes_are_those_of_the_architecture() -> None:
    assert PLAIN.actor.num_values == 77 * 64 + 64 + 64 * 64 + 64 + 64 * 145 + 145 == 18_577
    assert PLAIN.critic.num_values == 77 * 64 + 64 + 64 * 64 + 64 + 64 + 1 == 9_217


def test_actor_and_critic_of_a_policy_see_the_same() -> None:
    shape = PolicyShape(93, 36)
    assert shape.actor.table["hidden_1.weight"] == shape.critic.table["hidden_1.weight"] == (64, 93 + 25)
    assert (shape.actor.num_outputs, shape.critic.num_outputs) == (36, 1)


def test_hidden_layers_are_of_the_sizes_that_are_asked_for() -> None:
    shape = PolicyShape(hidden_sizes=(128, 32))
    assert shape.actor.num_values == 77 * 128 + 128 + 128 * 32 + 32 + 32 * 145 + 145
    assert shape.critic.table["hidden_2.weight"] == (32, 128)
    assert MAX_HIDDEN_SIZE % HIDDEN_STEP == 0
    assert all(size % HIDDEN_STEP == 0 for size in HIDDEN_SIZES)


def test_views_cover_the_vector_once_in_the_order_of_the_table() -> None:
    shape = MlpShape(num_outputs=3, observation_size=2)
    flat = np.arange(shape.num_values, dtype=np.float32)

    views = shape.views(flat)

    assert {name: view.shape for name, view in views.items()} == shape.table
    assert np.array_equal(np.concatenate([view.ravel() for view in views.values()]), flat)
    assert all(np.shares_memory(view, flat) for view in views.values())


@pytest.mark.parametrize("size", [PLAIN.actor.num_values - 1, PLAIN.actor.num_values + 1])
def test_a_vector_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="18577 values"):
        PLAIN.actor.views(np.zeros(size, np.float32))
