"""The actor as machine code, for workers: which action, with which log-probability, without torch.

An action is a function of the weights, the workflow, the observation and one uniform number. Both engines sample with
the kernels below, so both give the same bits; each distribution is computed by itself, in a fixed order of additions,
so its rounding never depends on what else is computed.

Few observations are distinct: hundreds in thousands of steps. Distributions are therefore kept by observation, as
log-probabilities and as a cumulative distribution, and nearly every step is a look-up and a binary search.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.engine.compiled import COMPILED, compiled, kernel
from pipeline.cage2.spec import NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.policy.params import ACTOR, HIDDEN_SIZE

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_MEMO = 4096
"""Observations that an actor remembers: more than a trained policy meets, in at most 7 MB."""
_NUM_BUCKETS = 4 * MAX_MEMO
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HASH_SHIFT = np.uint64(64 - 14)  # 14 bits name one of the 16,384 buckets
_ONE = np.uint64(1)

ACTOR_STATE = np.dtype(
    [
        # weights lie by input, so that the additions of one input to all outputs run side by side
        ("weight_1", np.float32, (OBSERVATION_SIZE, HIDDEN_SIZE)),
        ("bias_1", np.float32, (HIDDEN_SIZE,)),  # with the workflow's share in it
        ("weight_2", np.float32, (HIDDEN_SIZE, HIDDEN_SIZE)),
        ("bias_2", np.float32, (HIDDEN_SIZE,)),
        ("weight_3", np.float32, (HIDDEN_SIZE, NUM_ACTIONS)),
        ("bias_3", np.float32, (NUM_ACTIONS,)),
        ("hidden_1", np.float32, (HIDDEN_SIZE,)),  # room to compute in
        ("hidden_2", np.float32, (HIDDEN_SIZE,)),
        ("num_kept", np.int64),
        ("keys", np.uint64, (_NUM_BUCKETS,)),  # observation + 1 of each bucket; 0: empty
        ("places", np.int64, (_NUM_BUCKETS,)),  # where its distribution is kept
        ("log_probs", np.float32, (MAX_MEMO, NUM_ACTIONS)),  # nats
        ("cumulative", np.float64, (MAX_MEMO, NUM_ACTIONS)),  # ends with 1
        # makes kept machine code stale when this file changes: numba looks at the callers' files only
        (f"forward_{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]}", np.uint8),
    ],
    align=True,
)
"""One version of one workflow's actor, and the distributions that it has computed so far."""


class Actor:
    """One version of one workflow's actor.

    Args:
        flat: `[ACTOR.num_values]` float32, in the order of the parameter table; copied.
        order_one_hot: `[25]` float32. The order is the same at every step, so its share goes into the first bias.
    """

    def __init__(self, flat: npt.NDArray[np.float32], order_one_hot: npt.NDArray[np.float32]) -> None:
        parameters = ACTOR.views(np.ascontiguousarray(flat, dtype=np.float32))
        zeros: npt.NDArray[np.void] = np.zeros(1, dtype=ACTOR_STATE)
        self.state = zeros if COMPILED else zeros.view(np.recarray)
        """`[1]` of `ACTOR_STATE`: what kernels take."""
        state = self.state[0]
        weight_1 = parameters["hidden_1.weight"]  # [H, 52 + 25]
        state["weight_1"] = weight_1[:, :OBSERVATION_SIZE].T
        state["bias_1"] = parameters["hidden_1.bias"]
        for position in np.flatnonzero(order_one_hot):  # one by one: a product would round as BLAS pleases
            state["bias_1"] += weight_1[:, OBSERVATION_SIZE + position]
        state["weight_2"], state["bias_2"] = parameters["hidden_2.weight"].T, parameters["hidden_2.bias"]
        state["weight_3"], state["bias_3"] = parameters["head.weight"].T, parameters["head.bias"]

    def distribution(
        self, observation: npt.NDArray[np.int8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Return the policy at one observation.

        Args:
            observation: `[52]` int8 in {0, 1}.

        Returns:
            `(log_probs, cumulative)`: `[145]` float32 in nats, and `[145]` float64 whose last value is exactly 1.
        """
        place = place_of(self.state, observation)
        return self.state[0]["log_probs"][place].copy(), self.state[0]["cumulative"][place].copy()

    def sample(self, observation: npt.NDArray[np.int8], uniform: float) -> tuple[int, float]:
        """Draw an action.

        Args:
            observation: `[52]` int8 in {0, 1}.
            uniform: In [0, 1).

        Returns:
            `(action, log_prob)`: its log-probability is a float32's, in nats.
        """
        action, log_prob = sample_action(self.state, observation, uniform)
        return int(action), float(log_prob)


@compiled
def pack(observation: npt.NDArray[np.int8]) -> int:
    """Return an observation's bits as one word, the first the lowest; uint64."""
    word = np.uint64(0)
    for bit in range(OBSERVATION_SIZE):
        word |= np.uint64(observation[bit]) << np.uint64(bit)
    return word  # type: ignore[return-value]  # a word is an int here


@compiled
def search(cumulative: npt.NDArray[np.float64], uniform: float) -> int:
    """Return the action whose share of [0, 1) holds `uniform`: the inverse of the distribution function.

    An action of probability 0 has an empty share and is never returned.

    Args:
        cumulative: `[A]` float64, not decreasing, the last value 1.
        uniform: In [0, 1).
    """
    low, high = 0, len(cumulative) - 1
    while low < high:
        middle = (low + high) >> 1
        if cumulative[middle] > uniform:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def look_up(state: Any, word: int) -> int:
    """Return where an observation's distribution is kept, computed first if it is new."""
    key = word + _ONE
    bucket = np.int64((key * _HASH_FACTOR) >> _HASH_SHIFT)
    while state.keys[bucket] != key:
        if state.keys[bucket] == 0:
            if state.num_kept == MAX_MEMO:
                state.keys[:] = 0
                state.num_kept = 0
                bucket = np.int64((key * _HASH_FACTOR) >> _HASH_SHIFT)
            state.keys[bucket] = key
            state.places[bucket] = state.num_kept
            compute(state, word, state.num_kept)
            state.num_kept += 1
            break
        bucket = (bucket + 1) & (_NUM_BUCKETS - 1)
    return int(state.places[bucket])


@compiled
def compute(state: Any, word: int, place: int) -> None:
    """Compute the distribution at an observation: a forward pass of one row, then log-softmax and its running sum."""
    hidden_1, hidden_2 = state.hidden_1, state.hidden_2
    weight_1, weight_2, weight_3 = state.weight_1, state.weight_2, state.weight_3
    logits = state.log_probs[place]
    cumulative = state.cumulative[place]

    hidden_1[:] = state.bias_1
    for bit in range(OBSERVATION_SIZE):
        if (word >> np.uint64(bit)) & _ONE:
            for j in range(HIDDEN_SIZE):
                hidden_1[j] += weight_1[bit, j]
    for j in range(HIDDEN_SIZE):
        hidden_1[j] = math.tanh(np.float64(hidden_1[j]))
    hidden_2[:] = state.bias_2
    for i in range(HIDDEN_SIZE):
        for j in range(HIDDEN_SIZE):
            hidden_2[j] += hidden_1[i] * weight_2[i, j]
    for j in range(HIDDEN_SIZE):
        hidden_2[j] = math.tanh(np.float64(hidden_2[j]))
    logits[:] = state.bias_3
    for i in range(HIDDEN_SIZE):
        for j in range(NUM_ACTIONS):
            logits[j] += hidden_2[i] * weight_3[i, j]

    highest = logits[0]
    for j in range(NUM_ACTIONS):
        highest = max(highest, logits[j])
    total = 0.0
    for j in range(NUM_ACTIONS):
        total += math.exp(np.float64(logits[j]) - np.float64(highest))
        cumulative[j] = total
    log_total = math.log(total)
    for j in range(NUM_ACTIONS):
        logits[j] = (np.float64(logits[j]) - np.float64(highest)) - log_total
        cumulative[j] /= total


@kernel
def place_of(states: npt.NDArray[np.void], observation: npt.NDArray[np.int8]) -> int:
    """Return where the distribution at an observation is kept in `states[0]`."""
    return look_up(states[0], pack(observation))


@kernel
def sample_action(states: npt.NDArray[np.void], observation: npt.NDArray[np.int8], uniform: float) -> tuple[int, float]:
    """Return an action and its log-probability, by the actor `states[0]`; see `Actor.sample`."""
    state = states[0]
    place = look_up(state, pack(observation))
    action = search(state.cumulative[place], uniform)
    return action, state.log_probs[place, action]
