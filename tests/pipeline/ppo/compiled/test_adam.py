from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.numerics.compiled import int64, kernel
from pipeline.policy.params import MlpShape
from pipeline.ppo.compiled import adam
from pipeline.ppo.compiled.mlp import Mlp, new_mlp
from pipeline.ppo.compiled.steps import settings_of
from pipeline.ppo.recipe import DEFAULT

RECIPE = dataclasses.replace(DEFAULT, learning_rate=0.01, max_grad_norm=0.5)


@kernel
def take_step(network: Any, num_steps: int, settings: Any) -> None:
    adam.step(network, num_steps, settings[0])


@kernel
def norm(values: Any) -> float:
    return adam.norm(values)


@kernel
def power(base: float, exponent: int) -> float:
    return adam.power(base, exponent)


def network() -> Mlp:
    return new_mlp(MlpShape(num_outputs=2), num_inputs=1)


def test_steps_are_those_of_torch_with_the_gradients_norm_limited() -> None:
    ours, rng = network(), np.random.default_rng(0)
    ours.weights[:] = rng.normal(0, 0.1, len(ours.weights))
    theirs = torch.nn.Parameter(torch.from_numpy(ours.weights.copy()))
    optimizer = torch.optim.Adam([theirs], RECIPE.learning_rate, RECIPE.adam_betas, RECIPE.adam_eps)
    for num_steps, scale in enumerate((1.0, 0.001, 3.0), start=1):  # limited, not limited, limited
        gradient = (scale * rng.normal(0, 0.1, len(ours.weights))).astype(np.float32)
        ours.gradient[:] = gradient
        take_step(ours, int64(num_steps), settings_of(RECIPE, RECIPE.learning_rate))
        theirs.grad = torch.from_numpy(gradient.copy())
        torch.nn.utils.clip_grad_norm_([theirs], RECIPE.max_grad_norm)
        optimizer.step()
    state = optimizer.state[theirs]
    # three steps of 0.01 each, in single precision
    assert ours.weights == pytest.approx(theirs.detach().numpy(), abs=1e-6)
    assert ours.mean == pytest.approx(state["exp_avg"].numpy(), rel=1e-4, abs=1e-9)
    assert ours.mean_square == pytest.approx(state["exp_avg_sq"].numpy(), rel=1e-4, abs=1e-12)


def test_nothing_moves_without_a_gradient() -> None:
    ours = network()
    ours.weights[:] = np.random.default_rng(0).normal(0, 0.1, len(ours.weights))
    before = ours.weights.copy()
    take_step(ours, int64(1), settings_of(RECIPE, RECIPE.learning_rate))
    assert np.array_equal(ours.weights, before)
    assert not ours.mean.any()
    assert not ours.mean_square.any()


def test_moments_that_fade_become_0_and_what_they_move_is_as_with_torch() -> None:
    ours, rng = network(), np.random.default_rng(0)
    ours.weights[:] = rng.normal(0, 0.1, len(ours.weights))
    theirs = torch.nn.Parameter(torch.from_numpy(ours.weights.copy()))
    recipe = dataclasses.replace(RECIPE, adam_betas=(0.9, 0.95), max_grad_norm=float("inf"))
    optimizer = torch.optim.Adam([theirs], RECIPE.learning_rate, recipe.adam_betas, RECIPE.adam_eps)
    # once of every size that there is, then never again
    gradient = (10.0 ** rng.uniform(-37, 0, len(ours.weights))).astype(np.float32)
    for num_steps in range(1, 2001):
        ours.gradient[:] = gradient if num_steps == 1 else 0
        theirs.grad = torch.from_numpy(ours.gradient.copy())
        take_step(ours, int64(num_steps), settings_of(recipe, RECIPE.learning_rate))
        optimizer.step()
        for moment in (ours.mean, ours.mean_square):
            assert not np.any((moment != 0) & (np.abs(moment) < np.finfo(np.float32).tiny)), num_steps
    assert ours.weights == pytest.approx(theirs.detach().numpy(), abs=1e-6)
    assert not ours.mean.any()
    assert not ours.mean_square.any()
    assert optimizer.state[theirs]["exp_avg"].count_nonzero()  # torch's stay


def test_what_is_no_number_stays_so() -> None:
    ours = network()
    ours.gradient[0] = np.nan
    take_step(ours, int64(1), settings_of(RECIPE, RECIPE.learning_rate))
    assert np.isnan(ours.weights[0])
    assert np.isnan(ours.mean_square[0])


def test_a_norm_is_that_of_euclid() -> None:
    values = np.zeros(64, np.float32)
    assert norm(values) == 0
    values[[3, 60]] = 3, -4
    assert norm(values) == 5
    values[:] = np.random.default_rng(0).normal(0, 1, 64)
    assert norm(values) == pytest.approx(np.linalg.norm(values.astype(np.float64)), rel=1e-6)


@given(st.floats(0, 1), st.integers(0, 100_000))
def test_powers_are_those_of_python(base: float, exponent: int) -> None:
    # each squaring doubles what was rounded before
    assert power(base, int64(exponent)) == pytest.approx(base**exponent, rel=(1 + exponent) * 2.0**-52, abs=1e-100)


def test_powers_of_a_half_are_exact() -> None:
    assert [power(0.5, int64(exponent)) for exponent in (0, 1, 2, 300)] == [1.0, 0.5, 0.25, 2.0**-300]
