from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.cage2.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.policy import forward
from pipeline.policy.forward import NumpyActor, sample
from pipeline.policy.params import ACTOR
from pipeline.workflows.orders import one_hot


def actor(seed: int = 0, scale: float = 0.3, workflow_id: int = 7) -> NumpyActor:
    flat = np.random.default_rng(seed).normal(0, scale, ACTOR.num_values).astype(np.float32)
    return NumpyActor(flat, one_hot(workflow_id))


def observations(num: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (num, OBSERVATION_SIZE)).astype(np.int8)


def test_a_distribution_is_one() -> None:
    for observation in observations(20):
        log_probs, cumulative = actor().distribution(observation)

        assert log_probs.shape == cumulative.shape == (NUM_ACTIONS,)
        assert (log_probs.dtype, cumulative.dtype) == (np.float32, np.float64)
        assert np.exp(log_probs.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
        assert np.all(np.diff(cumulative) >= 0)
        assert cumulative[-1] == 1.0


def test_what_is_remembered_is_what_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "MAX_MEMO", 3)
    once = actor()
    for observation in np.tile(observations(5), (3, 1)):
        log_probs, cumulative = once.distribution(observation)
        fresh_log_probs, fresh_cumulative = actor().distribution(observation)

        assert np.array_equal(log_probs, fresh_log_probs)
        assert np.array_equal(cumulative, fresh_cumulative)
        assert len(once._memo) <= 3


def test_a_distribution_is_shared_and_cannot_be_written() -> None:
    once, observation = actor(), observations(1)[0]
    log_probs, cumulative = once.distribution(observation)

    assert once.distribution(observation.copy())[0] is log_probs
    with pytest.raises(ValueError, match="read-only"):
        log_probs[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        cumulative[0] = 0


def test_weights_are_copied() -> None:
    flat = np.random.default_rng(0).normal(0, 0.3, ACTOR.num_values).astype(np.float32)
    held = NumpyActor(flat, one_hot(7))
    flat[:] = np.nan

    assert np.isfinite(held.distribution(observations(1)[0])[0]).all()


def test_the_order_matters() -> None:
    observation = observations(1)[0]

    assert not np.array_equal(
        actor(workflow_id=0).distribution(observation)[0], actor(workflow_id=119).distribution(observation)[0]
    )


def test_actions_come_with_their_log_prob_and_frequency() -> None:
    held, observation = actor(), observations(1)[0]
    log_probs, _ = held.distribution(observation)
    drawn = [held.sample(observation, u) for u in (np.arange(20_000) + 0.5) / 20_000]

    assert all(log_prob == log_probs[action] and log_prob.dtype == np.float32 for action, log_prob in drawn)
    frequency = np.bincount([action for action, _ in drawn], minlength=NUM_ACTIONS) / len(drawn)
    assert frequency == pytest.approx(np.exp(log_probs), abs=2e-4)


@given(
    weights=hnp.arrays(np.float64, 9, elements=st.sampled_from([0.0, 0.0, 1e-300, 1e-9, 0.1, 1.0])).filter(
        lambda weights: weights.sum() > 1e-12
    ),
    uniform=st.one_of(st.just(0.0), st.just(1 - 2.0**-53), st.floats(0, 1, exclude_max=True)),
)
def test_no_action_of_probability_0_is_returned(weights: np.ndarray, uniform: float) -> None:
    cumulative = np.cumsum(weights)
    cumulative /= cumulative[-1]

    action = sample(cumulative, uniform)

    assert weights[action] > 0
    assert (cumulative[action - 1] if action else 0.0) <= uniform < cumulative[action]
