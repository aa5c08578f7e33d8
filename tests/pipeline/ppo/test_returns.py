from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.ppo.returns import discounted_returns, gae

unit = st.floats(0, 1)
points = st.floats(-20, 20, width=32)


@st.composite
def episodes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    num_episodes, num_steps = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    rewards = draw(hnp.arrays(np.float64, (num_episodes, num_steps), elements=points))
    values = draw(hnp.arrays(np.float64, (num_episodes, num_steps + 1), elements=points))
    return rewards, values


@given(episodes(), unit, unit)
def test_gae_is_the_weighted_mean_of_n_step_advantages(
    episode: tuple[np.ndarray, np.ndarray], gamma: float, lam: float
) -> None:
    """The definition (equation 16), not the recursion: lambda-weighted n-step advantages, the last taking the rest."""
    rewards, values = episode
    num_episodes, num_steps = rewards.shape
    expected = np.zeros_like(rewards)
    for b in range(num_episodes):
        for t in range(num_steps):
            left = num_steps - t
            for n in range(1, left + 1):
                n_step = (
                    sum(gamma**i * rewards[b, t + i] for i in range(n)) + gamma**n * values[b, t + n] - values[b, t]
                )
                expected[b, t] += n_step * ((1 - lam) * lam ** (n - 1) if n < left else lam ** (n - 1))

    assert gae(rewards, values, gamma, lam) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(episodes(), unit)
def test_returns_are_sums_of_discounted_rewards(episode: tuple[np.ndarray, np.ndarray], gamma: float) -> None:
    rewards, _ = episode
    num_steps = rewards.shape[1]
    expected = [
        [sum(gamma ** (k - t) * row[k] for k in range(t, num_steps)) for t in range(num_steps)] for row in rewards
    ]

    assert discounted_returns(rewards, gamma) == pytest.approx(np.array(expected), rel=1e-9, abs=1e-9)


@given(episodes(), unit, unit, points)
def test_nothing_leaks_from_one_episode_into_another(
    episode: tuple[np.ndarray, np.ndarray], gamma: float, lam: float, other: float
) -> None:
    rewards, values = episode
    alone = gae(rewards[:1], values[:1], gamma, lam)
    rewards[1:], values[1:] = other, other

    assert np.array_equal(gae(rewards, values, gamma, lam)[:1], alone)


def test_the_horizon_is_bootstrapped() -> None:
    gamma = 0.99
    rewards, values = np.full((2, 100), -1.0), np.full((2, 101), -1 / (1 - gamma))

    assert gae(rewards, values, gamma, 0.95) == pytest.approx(0.0, abs=1e-9)
    values[:, -1] = 0.0
    assert np.all(gae(rewards, values, gamma, 0.95)[:, -1] > 90)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[B, T \+ 1\]: got \(2, 5\) and \(2, 5\)"):
        gae(np.zeros((2, 5)), np.zeros((2, 5)), 0.99, 0.95)
    with pytest.raises(ValueError, match=r"\(5,\)"):
        gae(np.zeros(5), np.zeros(6), 0.99, 0.95)
