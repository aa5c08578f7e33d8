from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.numerics.compiled import kernel
from pipeline.ppo.compiled import steps
from pipeline.ppo.compiled.steps import SETTINGS, new_workspace, settings_of
from pipeline.ppo.recipe import DEFAULT


@kernel
def group(row: Any, minibatch: Any, workspace: Any) -> int:
    return steps.group_steps(row, minibatch, workspace)


def test_settings_are_the_recipes_and_the_learning_rate_is_of_now() -> None:
    recipe = dataclasses.replace(DEFAULT, adam_betas=(0.5, 0.25), clip_coef=0.125, learning_rate=7.0)
    settings = settings_of(recipe, 0.375)
    assert (settings.shape, settings.dtype.names) == ((1,), SETTINGS.names)
    told = {name: float(settings[0][name]) for name in SETTINGS.names or ()}
    assert told.pop("learning_rate") == 0.375
    assert (told.pop("beta_1"), told.pop("beta_2")) == (0.5, 0.25)
    assert told == {name: getattr(recipe, name) for name in told}
    assert told["clip_coef"] == 0.125


@given(st.data())
def test_steps_are_grouped_by_input_in_the_order_of_the_minibatch(data: st.DataObject) -> None:
    num_rows, num_steps = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 30))
    row = np.array(data.draw(st.lists(st.integers(0, num_rows - 1), min_size=num_steps, max_size=num_steps)), np.int64)
    size = data.draw(st.integers(0, num_steps))
    minibatch = np.array(data.draw(st.permutations(range(num_steps))), np.int64)[:size]
    workspace = new_workspace(num_rows, num_steps, 32)

    for _ in range(2):  # the second time with what the first has left
        num_seen = group(row, minibatch, workspace)
        assert workspace.rows[:num_seen].tolist() == np.unique(row[minibatch]).tolist()
        assert workspace.order[:size].tolist() == minibatch[np.argsort(row[minibatch], kind="stable")].tolist()
        bounds = workspace.bounds[: num_seen + 1]
        assert (bounds[0], bounds[-1]) == (0, size)
        for seen, begin, end in zip(workspace.rows, bounds, bounds[1:], strict=False):
            assert begin < end
            assert (row[workspace.order[begin:end]] == seen).all()
        assert not workspace.num_steps.any()
