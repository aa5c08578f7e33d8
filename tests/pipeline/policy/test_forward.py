from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.cage2.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.policy import forward
from pipeline.policy.forward import Actor
from pipeline.policy.params import ACTOR
from pipeline.workflows.orders import one_hot


def actor(seed: int = 0, scale: float = 0.3, workflow_id: int = 7) -> Actor:
    flat = np.random.default_rng(seed).normal(0, scale, ACTOR.num_values).astype(np.float32)
    return Actor(flat, one_hot(workflow_id))


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


def test_what_is_remembered_is_what_is_computed() -> None:
    once = actor()
    known = observations(5)
    first = [once.distribution(observation) for observation in known]
    for observation in observations(forward.MAX_MEMO, seed=2):  # until the memo has been emptied
        once.distribution(observation)
    assert once.state[0]["num_kept"] <= forward.MAX_MEMO
    for observation, (log_probs, cumulative) in zip(known, first, strict=True):
        for again in (
            once.distribution(observation),
            once.distribution(observation),
            actor().distribution(observation),
        ):
            assert np.array_equal(again[0], log_probs)
            assert np.array_equal(again[1], cumulative)


def test_every_bit_of_an_observation_counts() -> None:
    once = actor()
    zero = np.zeros(OBSERVATION_SIZE, np.int8)
    kinds = [zero, *np.eye(OBSERVATION_SIZE, dtype=np.int8)]
    distributions = {once.distribution(observation)[0].tobytes() for observation in kinds}
    assert len(distributions) == len(kinds)


def test_uncompiled_code_gives_the_same_bits() -> None:
    """What is compiled adds in the order that is written: nothing is contracted or reordered."""
    script = (
        "import numpy as np; from pipeline.policy.forward import Actor; from pipeline.workflows.orders import one_hot\n"
        "from pipeline.policy.params import ACTOR; rng = np.random.default_rng(0)\n"
        "actor = Actor(rng.normal(0, 0.3, ACTOR.num_values).astype(np.float32), one_hot(7))\n"
        "rows = rng.integers(0, 2, (3, 52)).astype(np.int8)\n"
        "print([part.tobytes().hex() for row in rows for part in actor.distribution(row)])"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "NUMBA_DISABLE_JIT": disable},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for disable in ("0", "1")
    ]
    assert printed[0] == printed[1] != ""


def test_weights_are_copied() -> None:
    flat = np.random.default_rng(0).normal(0, 0.3, ACTOR.num_values).astype(np.float32)
    held = Actor(flat, one_hot(7))
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

    assert all(log_prob == log_probs[action] and isinstance(action, int) for action, log_prob in drawn)
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

    action = getattr(forward.search, "py_func", forward.search)(cumulative, uniform)

    assert weights[action] > 0
    assert (cumulative[action - 1] if action else 0.0) <= uniform < cumulative[action]
