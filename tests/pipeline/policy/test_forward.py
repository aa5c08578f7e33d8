from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.cage2.blue.interface import Mask
from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.cage2.facts.orders import one_hot
from pipeline.cage2.facts.spec import NUM_ACTIONS
from pipeline.policy import forward, network
from pipeline.policy.forward import Actor
from pipeline.policy.network import network_inputs
from pipeline.policy.params import HIDDEN_STEP, MAX_HIDDEN_SIZE, PLAIN, PolicyShape

ORDER = 7
LARGEST = PolicyShape(forward.MAX_OBSERVATION_SIZE, NUM_ACTIONS)
SMALL = PolicyShape(93, 36, hidden_sizes=(96, 32))
SHAPES = [
    *(PLAIN, PolicyShape(1, 1), PolicyShape(64, 2)),
    *(PolicyShape(size, 36) for size in (65, 128, 129)),
    *(SMALL, LARGEST, replace(LARGEST, hidden_sizes=(MAX_HIDDEN_SIZE, MAX_HIDDEN_SIZE))),
]


def actor(seed: int = 0, scale: float = 0.3, shape: PolicyShape = PLAIN) -> Actor:
    return Actor(np.random.default_rng(seed).normal(0, scale, shape.actor.num_values).astype(np.float32), shape)


def observations(num: int, seed: int = 1, shape: PolicyShape = PLAIN) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (num, shape.observation_size)).astype(np.int8)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_distribution_is_one(shape: PolicyShape) -> None:
    for observation in observations(20, shape=shape):
        log_probs, cumulative = actor(shape=shape).distribution(observation, ORDER)

        assert log_probs.shape == cumulative.shape == (shape.num_actions,)
        assert (log_probs.dtype, cumulative.dtype) == (np.float32, np.float64)
        assert np.exp(log_probs.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)
        assert np.all(np.diff(cumulative) >= 0)
        assert cumulative[-1] == 1.0


def test_what_is_remembered_is_what_is_computed() -> None:
    once = actor()
    known = observations(5)
    first = [once.distribution(observation, ORDER) for observation in known]
    for observation in observations(forward.MAX_MEMO, seed=2):  # until the memo has been emptied
        once.distribution(observation, ORDER)
    assert once.state[0]["num_kept"] <= forward.MAX_MEMO
    for observation, (log_probs, cumulative) in zip(known, first, strict=True):
        for again in (
            once.distribution(observation, ORDER),
            once.distribution(observation, ORDER),
            actor().distribution(observation, ORDER),
        ):
            assert np.array_equal(again[0], log_probs)
            assert np.array_equal(again[1], cumulative)


@pytest.mark.parametrize("shape", [PLAIN, LARGEST], ids=str)
def test_every_bit_of_an_observation_and_every_order_count(shape: PolicyShape) -> None:
    once = actor(shape=shape)
    zero = np.zeros(shape.observation_size, np.int8)
    kinds = [(zero, order) for order in range(NUM_WORKFLOWS)]
    kinds += [(observation, ORDER) for observation in np.eye(shape.observation_size, dtype=np.int8)]
    distributions = {once.distribution(*kind)[0].tobytes() for kind in kinds}
    assert len(distributions) == len(kinds) == once.state[0]["num_kept"]


@pytest.mark.parametrize("shape", [PLAIN, PolicyShape(93, 36), SMALL, LARGEST], ids=str)
def test_it_is_what_the_parameter_table_says(shape: PolicyShape) -> None:
    flat = np.random.default_rng(0).normal(0, 0.3, shape.actor.num_values).astype(np.float32)
    table = {name: value.astype(np.float64) for name, value in shape.actor.views(flat).items()}
    held = Actor(flat, shape)
    for order in (0, 61, 119):
        for observation in observations(5, seed=order, shape=shape):
            values = np.concatenate([observation, one_hot(order)])
            for layer in ("hidden_1", "hidden_2"):
                values = np.tanh(table[f"{layer}.weight"] @ values + table[f"{layer}.bias"])
            logits = table["head.weight"] @ values + table["head.bias"]
            expected = logits - np.log(np.exp(logits).sum())
            # float32 sums of 146 terms of about 1
            assert held.distribution(observation, order)[0] == pytest.approx(expected, abs=2e-5)


def test_what_is_masked_has_probability_0_and_the_rest_keeps_its_proportions() -> None:
    mask = Mask(cause=(0, None, 2, None, 5), spent=(3, 4, None, None, 1))
    free = PolicyShape(6, 5)
    masked = actor(shape=replace(free, mask=mask))
    seen = set()
    for bits in range(2**6):
        observation = np.array([bits >> bit & 1 for bit in range(6)], np.int8)
        b0, b1, b2, b3, b4, b5 = observation.tolist()
        useless = np.array([not b0 or b3, b4, not b2, False, not b5 or b1], bool)
        seen.add(tuple(useless))
        expected = np.exp(actor(shape=free).distribution(observation, ORDER)[0].astype(np.float64))
        expected[useless] = 0
        log_probs, cumulative = masked.distribution(observation, ORDER)
        assert np.exp(log_probs.astype(np.float64)) == pytest.approx(expected / expected.sum(), abs=1e-6)
        assert cumulative[-1] == 1.0
        drawn = {masked.sample(observation, ORDER, uniform)[0] for uniform in (0.0, *np.linspace(0, 1, 50)[:-1])}
        assert not drawn & set(np.flatnonzero(useless).tolist())
        inputs = network_inputs(observation[None], ORDER, torch.device("cpu"))
        assert network.useless(mask, inputs).numpy().tolist() == [useless.tolist()]
    assert len(seen) > 10


@pytest.mark.parametrize(
    "shape",
    [
        PolicyShape(forward.MAX_OBSERVATION_SIZE + 1, 1),
        PolicyShape(1, NUM_ACTIONS + 1),
        PolicyShape(hidden_sizes=(64, MAX_HIDDEN_SIZE + HIDDEN_STEP)),
    ],
)
def test_a_shape_without_room_is_refused(shape: PolicyShape) -> None:
    with pytest.raises(ValueError, match="at most 185, 145 and 1024"):
        actor(shape=shape)


@pytest.mark.parametrize(("size", "workflow_id"), [(51, 0), (53, 0), (52, -1), (52, NUM_WORKFLOWS), (52, 10**6)])
def test_what_compiled_code_would_read_beyond_an_end_is_refused(size: int, workflow_id: int) -> None:
    held, observation = actor(), np.zeros(size, np.int8)
    with pytest.raises(ValueError, match=f"an observation of 52 bits and a workflow from 0 to 119, not {size} bits"):
        held.distribution(observation, workflow_id)
    with pytest.raises(ValueError, match=f"and workflow {workflow_id}$"):
        held.sample(observation, workflow_id, 0.5)
    assert held.state[0]["num_kept"] == 0


def test_uncompiled_code_gives_the_same_bits() -> None:
    """What is compiled adds in the order that is written: nothing is contracted or reordered."""
    script = (
        "import numpy as np; from pipeline.policy.forward import Actor\n"
        "from pipeline.policy.params import PolicyShape; rng = np.random.default_rng(0); shape = PolicyShape(93, 36)\n"
        "actor = Actor(rng.normal(0, 0.3, shape.actor.num_values).astype(np.float32), shape)\n"
        "rows = rng.integers(0, 2, (3, 93)).astype(np.int8)\n"
        "print([part.tobytes().hex() for row in rows for part in actor.distribution(row, 7)])\n"
        "print([actor.sample(row, 7, 0.5, greedy=greedy) for row in rows for greedy in (False, True)])"
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
    flat = np.random.default_rng(0).normal(0, 0.3, PLAIN.actor.num_values).astype(np.float32)
    held = Actor(flat, PLAIN)
    flat[:] = np.nan

    assert np.isfinite(held.distribution(observations(1)[0], ORDER)[0]).all()


def test_other_weights_take_the_place_of_those_before() -> None:
    """And nothing is remembered of these."""
    first, second = (
        np.random.default_rng(seed).normal(0, 0.3, PLAIN.actor.num_values).astype(np.float32) for seed in (0, 1)
    )
    held, rows = Actor(first, PLAIN), observations(40)
    before = [held.distribution(row, ORDER)[0].tolist() for row in rows]
    held.load(second)
    after = [held.distribution(row, ORDER)[0].tolist() for row in rows]
    fresh = Actor(second, PLAIN)
    assert after == [fresh.distribution(row, ORDER)[0].tolist() for row in rows]
    assert after != before
    with pytest.raises(ValueError, match="18577 values"):
        held.load(second[:-1])


def test_actions_come_with_their_log_prob_and_frequency() -> None:
    held, observation = actor(), observations(1)[0]
    log_probs, _ = held.distribution(observation, ORDER)
    drawn = [held.sample(observation, ORDER, u) for u in (np.arange(20_000) + 0.5) / 20_000]

    assert all(log_prob == log_probs[action] and isinstance(action, int) for action, log_prob in drawn)
    frequency = np.bincount([action for action, _ in drawn], minlength=NUM_ACTIONS) / len(drawn)
    assert frequency == pytest.approx(np.exp(log_probs), abs=2e-4)


def test_a_greedy_choice_is_the_likeliest_and_its_log_prob_is_that_of_the_policy() -> None:
    held = actor()
    for observation in observations(20):
        log_probs, _ = held.distribution(observation, ORDER)
        for uniform in (0.0, 0.7):
            best = int(np.argmax(log_probs))
            assert held.sample(observation, ORDER, uniform, greedy=True) == (best, log_probs[best])


def test_of_equally_likely_actions_a_greedy_choice_is_the_first() -> None:
    flat = np.zeros(PLAIN.actor.num_values, np.float32)
    bias = PLAIN.actor.views(flat)["head.bias"]
    bias[[20, 60, 144]] = 1.0

    action, log_prob = Actor(flat, PLAIN).sample(observations(1)[0], ORDER, 0.999, greedy=True)

    assert (action, log_prob) == (20, pytest.approx(1 - np.log(3 * np.e + 142)))


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


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_actor_takes_the_memory_that_it_uses_whatever_the_heap_has_been_through() -> None:
    room = forward.ACTOR_STATE.itemsize
    for _ in range(3):
        np.full(room, 1, np.uint8)  # freed: zeros of this size come from memory that was written, from now on
    before = resident_bytes()
    actors = [actor(shape=SMALL) for _ in range(10)]
    for one in actors:
        one.distribution(observations(1, shape=SMALL)[0], ORDER)

    assert resident_bytes() - before < 10 * room / 4
