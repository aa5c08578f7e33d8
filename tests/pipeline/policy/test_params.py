from __future__ import annotations

import numpy as np
import pytest

from pipeline.policy.params import ACTOR, CRITIC, MlpShape


def test_sizes_are_those_of_the_architecture() -> None:
    assert ACTOR.num_values == 77 * 64 + 64 + 64 * 64 + 64 + 64 * 145 + 145 == 18_577
    assert CRITIC.num_values == 77 * 64 + 64 + 64 * 64 + 64 + 64 + 1 == 9_217


def test_views_cover_the_vector_once_in_the_order_of_the_table() -> None:
    shape = MlpShape(num_outputs=3, observation_size=2, order_size=1, hidden_size=4)
    flat = np.arange(shape.num_values, dtype=np.float32)

    views = shape.views(flat)

    assert {name: view.shape for name, view in views.items()} == shape.table
    assert np.array_equal(np.concatenate([view.ravel() for view in views.values()]), flat)
    assert all(np.shares_memory(view, flat) for view in views.values())


@pytest.mark.parametrize("size", [ACTOR.num_values - 1, ACTOR.num_values + 1])
def test_a_vector_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="18577 values"):
        ACTOR.views(np.zeros(size, np.float32))
