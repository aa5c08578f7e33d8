from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.workflows.observations import Observation
from pipeline.workflows.targets import Targets, standardise


def once(rewards: list[float], stderr: float = 1.0) -> list[Observation]:
    return [Observation(workflow_id, reward, stderr) for workflow_id, reward in enumerate(rewards)]


def points(targets: Targets) -> np.ndarray:
    return targets.location + targets.scale * targets.values


def test_targets_have_zero_mean_and_unit_variance() -> None:
    rewards = np.random.default_rng(0).normal(-60, 8, 50)
    targets = standardise(once(rewards.tolist()))
    assert targets.values.mean() == pytest.approx(0, abs=1e-12)
    assert targets.values.std() == pytest.approx(1)
    np.testing.assert_allclose(points(targets), rewards)
    np.testing.assert_allclose(targets.noise, 1 / targets.scale**2)


def test_errors_are_rescaled() -> None:
    targets = standardise([Observation(3, -20.0, 2.0), Observation(8, -60.0, 1.0)])
    assert targets.scale == pytest.approx(20)
    np.testing.assert_allclose(targets.noise, [0.01, 0.0025])


def test_a_disaster_keeps_its_place_but_not_its_distance() -> None:
    rewards = [-18.0, -19.0, -20.0, -21.0, -22.0, -23.0, -24.0, -25.0, -26.0, -27.0, -500.0, -1300.0]
    targets = standardise(once(rewards))
    bent = points(targets)
    assert np.array_equal(np.argsort(bent), np.argsort(rewards))
    np.testing.assert_allclose(bent[:10], rewards[:10])
    assert bent.min() > -70
    assert targets.noise[11] < targets.noise[10] < targets.noise[0]
    assert np.ptp(targets.values[:10]) > 0.5  # of disasters on a linear scale it would be 0.02


def test_two_groups_of_orders_are_no_accident() -> None:
    rewards = [-20.0] * 40 + [-60.0] * 20
    np.testing.assert_allclose(points(standardise(once(rewards))), rewards)


@pytest.mark.parametrize(("stderr", "scale"), [(0.0, 0.1), (1.5, 1.5)])
@pytest.mark.parametrize("num", [1, 2, 30])
def test_equal_rewards_have_the_scale_of_their_errors_or_of_rewards(num: int, stderr: float, scale: float) -> None:
    targets = standardise(once([-25.0] * num, stderr))
    assert targets.scale == scale
    assert targets.location == -25.0
    assert not targets.values.any()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12), st.floats(0, 1e3))
def test_any_rewards_stay_in_order_and_of_moderate_size(rewards: list[float], stderr: float) -> None:
    targets = standardise(once(rewards, stderr))
    by_reward = targets.values[np.argsort(rewards)]
    assert (np.diff(by_reward) >= -1e-9).all()
    assert np.abs(targets.values).max() <= math.sqrt(len(rewards)) + 1e-6
    assert np.isfinite(targets.noise).all()
