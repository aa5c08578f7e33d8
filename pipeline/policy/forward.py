"""The actor as machine code, for workers: which action, with which log-probability, without torch.

An action is a function of the weights, the workflow, the observation and one uniform number. Both engines sample with
the kernels below, so both give the same bits; each distribution is computed by itself, in a fixed order of additions,
so its rounding never depends on what else is computed.

Few observations are distinct: hundreds in thousands of steps. Distributions are therefore kept by observation and
workflow, as log-probabilities and as a cumulative distribution, and nearly every step is a look-up and a binary search.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.facts.order_names import NUM_HOST_TYPES, NUM_WORKFLOWS, ORDER_SIZE
from pipeline.cage2.facts.orders import ORDERS
from pipeline.cage2.facts.spec import NUM_ACTIONS
from pipeline.numerics.compiled import COMPILED, compiled, kernel
from pipeline.numerics.elementary import tanh
from pipeline.numerics.elementary64 import exp, log
from pipeline.policy.params import MAX_HIDDEN_SIZE, USELESS

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.policy.params import PolicyShape

_WORD_BITS = 64
_NUM_WORDS = 3
MAX_OBSERVATION_SIZE = _NUM_WORDS * _WORD_BITS - 7
"""Bits: beside them the workflow's 7 have room."""
MAX_MEMO = 4096
"""Distributions that an actor remembers: more than a trained policy meets, in 50 KB for each of its actions."""
_NUM_BUCKETS = 4 * MAX_MEMO
_HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HASH_SHIFT = np.uint64(64 - 14)  # 14 bits name one of the 16,384 buckets
_WORKFLOW_SHIFT = np.uint64(MAX_OBSERVATION_SIZE - 2 * _WORD_BITS)
_ONE = np.uint64(1)
_NO_BIT = -1
_ORDERS = ORDERS.astype(np.int64)

ACTOR_STATE = np.dtype(
    [
        # of this actor; what follows has room for the largest, so that all shapes share one machine code
        ("observation_size", np.int64),
        ("num_actions", np.int64),
        ("size_1", np.int64),  # units of the hidden layers
        ("size_2", np.int64),
        # weights lie by input, so that the additions of one input to all outputs run side by side; rows lie close
        ("weight_1", np.float32, ((MAX_OBSERVATION_SIZE + ORDER_SIZE) * MAX_HIDDEN_SIZE,)),
        ("bias_1", np.float32, (MAX_HIDDEN_SIZE,)),
        ("weight_2", np.float32, (MAX_HIDDEN_SIZE * MAX_HIDDEN_SIZE,)),
        ("bias_2", np.float32, (MAX_HIDDEN_SIZE,)),
        ("weight_3", np.float32, (MAX_HIDDEN_SIZE, NUM_ACTIONS)),
        ("bias_3", np.float32, (NUM_ACTIONS,)),
        ("cause", np.int64, (NUM_ACTIONS,)),  # the mask (`interface.Mask`); -1: none
        ("spent", np.int64, (NUM_ACTIONS,)),
        ("hidden_1", np.float32, (MAX_HIDDEN_SIZE,)),  # room to compute in
        ("hidden_2", np.float32, (MAX_HIDDEN_SIZE,)),
        ("num_kept", np.int64),
        ("places", np.int64, (_NUM_BUCKETS,)),  # 1 + where the distribution of a bucket is kept; 0: empty
        ("keys", np.uint64, (MAX_MEMO, _NUM_WORDS)),  # what each distribution is of
        # by place and action; rows lie close, so that an actor of few actions takes little memory
        ("log_probs", np.float32, (MAX_MEMO * NUM_ACTIONS,)),  # nats
        ("cumulative", np.float64, (MAX_MEMO * NUM_ACTIONS,)),  # at a row's last action it is 1
    ],
    align=True,
)
"""One weight version, and the distributions that it has computed so far."""


class Actor:
    """One weight version, for all workflows.

    Its memory has room for much that is rarely there, and of that only what is used takes any. New pages cost more than
    weights to copy: who needs one after the other should `load`.

    Args:
        flat: `[shape.actor.num_values]` float32, in the order of the parameter table; copied.
        shape: The policy's sizes.

    Raises:
        ValueError: `flat` is not of this shape, or the shape is larger than there is room for.
    """

    def __init__(self, flat: npt.NDArray[np.float32], shape: PolicyShape) -> None:
        size, num_actions = shape.observation_size, shape.num_actions
        size_1, size_2 = shape.hidden_sizes
        if size > MAX_OBSERVATION_SIZE or num_actions > NUM_ACTIONS or max(size_1, size_2) > MAX_HIDDEN_SIZE:
            most = f"at most {MAX_OBSERVATION_SIZE}, {NUM_ACTIONS} and {MAX_HIDDEN_SIZE}"
            raise ValueError(f"{size} bits, {num_actions} actions, {size_1} and {size_2} hidden units: {most}")
        zeros = _untouched()
        self.state = zeros if COMPILED else zeros.view(np.recarray)
        """`[1]` of `ACTOR_STATE`: what kernels take."""
        state = self.state[0]
        state["observation_size"], state["num_actions"] = size, num_actions
        state["size_1"], state["size_2"] = size_1, size_2
        state["cause"], state["spent"] = _NO_BIT, _NO_BIT
        if shape.mask:
            for action, (cause, spent) in enumerate(zip(shape.mask.cause, shape.mask.spent, strict=True)):
                state["cause"][action] = _NO_BIT if cause is None else cause
                state["spent"][action] = _NO_BIT if spent is None else spent
        self._shape = shape
        self.load(flat)

    def load(self, flat: npt.NDArray[np.float32]) -> None:
        """Take other weights of the same shape, and forget all distributions.

        Args:
            flat: As for a new one; copied.

        Raises:
            ValueError: `flat` is not of this shape.
        """
        parameters = self._shape.actor.views(np.ascontiguousarray(flat, dtype=np.float32))
        state, size_1, size_2 = self.state[0], *self._shape.hidden_sizes
        state["places"], state["num_kept"] = 0, 0
        state["weight_1"][: (self._shape.observation_size + ORDER_SIZE) * size_1] = parameters[
            "hidden_1.weight"
        ].T.ravel()
        state["bias_1"][:size_1] = parameters["hidden_1.bias"]
        state["weight_2"][: size_1 * size_2] = parameters["hidden_2.weight"].T.ravel()
        state["bias_2"][:size_2] = parameters["hidden_2.bias"]
        state["weight_3"][:size_2, : self._shape.num_actions] = parameters["head.weight"].T
        state["bias_3"][: self._shape.num_actions] = parameters["head.bias"]

    def distribution(
        self, observation: npt.NDArray[np.int8], workflow_id: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Return the policy at one observation.

        Args:
            observation: `[observation_size]` int8 in {0, 1}.
            workflow_id: 0 to 119.

        Returns:
            `(log_probs, cumulative)`: `[A]` float32 in nats, and `[A]` float64 whose last value is exactly 1.

        Raises:
            ValueError: The observation is of another size, or there is no such workflow.
        """
        place = place_of(self.state, observation, workflow_id)
        if place < 0:
            raise ValueError(self._unfit(observation, workflow_id))
        num_actions = self._shape.num_actions
        row = slice(place * num_actions, (place + 1) * num_actions)
        return self.state[0]["log_probs"][row].copy(), self.state[0]["cumulative"][row].copy()

    def sample(
        self, observation: npt.NDArray[np.int8], workflow_id: int, uniform: float, *, greedy: bool = False
    ) -> tuple[int, float]:
        """Draw an action.

        Args:
            observation: `[observation_size]` int8 in {0, 1}.
            workflow_id: 0 to 119.
            uniform: In [0, 1).
            greedy: Take the likeliest action instead, of equally likely ones the first.

        Returns:
            `(action, log_prob)`: its log-probability under the policy is a float32's, in nats.

        Raises:
            ValueError: As `distribution`.
        """
        action, log_prob = sample_action(self.state, observation, workflow_id, uniform, greedy)
        if action < 0:
            raise ValueError(self._unfit(observation, workflow_id))
        return int(action), float(log_prob)

    def _unfit(self, observation: npt.NDArray[np.int8], workflow_id: int) -> str:
        size = self.state[0]["observation_size"]
        fit = f"an observation of {size} bits and a workflow from 0 to {NUM_WORKFLOWS - 1}"
        return f"{fit}, not {len(observation)} bits and workflow {workflow_id}"


def _untouched() -> npt.NDArray[np.void]:
    # zeros of the heap would be written where that has been in use before, and all of a page's worth be taken at once
    pages = mmap.mmap(-1, ACTOR_STATE.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, dtype=ACTOR_STATE)


@compiled
def search(cumulative: npt.NDArray[np.float64], uniform: float) -> int:
    """Return the action whose share of [0, 1) holds `uniform`: the inverse of the distribution function.

    An action of probability 0 has an empty share and is never returned.

    Args:
        cumulative: `[A]` float64, not decreasing, that of the last action 1.
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
def likeliest(log_probs: npt.NDArray[np.float32]) -> int:
    """Return the likeliest action, of equally likely ones the first."""
    best = 0
    for action in range(1, len(log_probs)):
        if log_probs[action] > log_probs[best]:
            best = action
    return best


@compiled
def choose(state: Any, place: int, uniform: float, greedy: bool) -> tuple[int, float]:
    """Return an action by the distribution kept at a place, and its log-probability in nats; see `Actor.sample`."""
    first, end = place * state.num_actions, (place + 1) * state.num_actions
    log_probs = state.log_probs[first:end]
    action = likeliest(log_probs) if greedy else search(state.cumulative[first:end], uniform)
    return action, log_probs[action]


@compiled
def fits(state: Any, observation: npt.NDArray[np.int8], workflow_id: int) -> bool:
    """Return whether an actor has a distribution at an observation for a workflow; `look_up` takes it for granted."""
    return len(observation) == state.observation_size and 0 <= workflow_id < NUM_WORKFLOWS


@compiled
def look_up(state: Any, observation: npt.NDArray[np.int8], workflow_id: int) -> int:
    """Return where the distribution at an observation is kept, computed first if it is new."""
    low, middle, high = np.uint64(0), np.uint64(0), np.uint64(workflow_id) << _WORKFLOW_SHIFT
    for bit in range(min(_WORD_BITS, state.observation_size)):
        low |= np.uint64(observation[bit]) << np.uint64(bit)
    for bit in range(_WORD_BITS, min(2 * _WORD_BITS, state.observation_size)):
        middle |= np.uint64(observation[bit]) << np.uint64(bit - _WORD_BITS)
    for bit in range(2 * _WORD_BITS, state.observation_size):
        high |= np.uint64(observation[bit]) << np.uint64(bit - 2 * _WORD_BITS)
    key = (low ^ ((middle ^ (high * _HASH_FACTOR)) * _HASH_FACTOR)) * _HASH_FACTOR
    bucket = np.int64(key >> _HASH_SHIFT)
    while state.places[bucket]:
        place = state.places[bucket] - 1
        if state.keys[place, 0] == low and state.keys[place, 1] == middle and state.keys[place, 2] == high:
            return int(place)
        bucket = (bucket + 1) & (_NUM_BUCKETS - 1)
    if state.num_kept == MAX_MEMO:
        state.places[:] = 0
        state.num_kept = 0
        bucket = np.int64(key >> _HASH_SHIFT)
    place = state.num_kept
    state.num_kept += 1
    state.places[bucket] = state.num_kept
    state.keys[place, 0], state.keys[place, 1], state.keys[place, 2] = low, middle, high
    compute(state, observation, workflow_id, place)
    return int(place)


@compiled
def compute(state: Any, observation: npt.NDArray[np.int8], workflow_id: int, place: int) -> None:
    """Compute the distribution at an observation: a forward pass of one row, then log-softmax and its running sum."""
    hidden_1, hidden_2 = state.hidden_1, state.hidden_2
    weight_1, weight_2, weight_3 = state.weight_1, state.weight_2, state.weight_3
    num_bits, num_actions = state.observation_size, state.num_actions
    logits = state.log_probs[place * num_actions : (place + 1) * num_actions]
    cumulative = state.cumulative[place * num_actions : (place + 1) * num_actions]
    size_1, size_2 = state.size_1, state.size_2
    for j in range(size_1):
        hidden_1[j] = state.bias_1[j]
    for position in range(NUM_HOST_TYPES):
        row = (num_bits + NUM_HOST_TYPES * position + _ORDERS[workflow_id, position]) * size_1
        for j in range(size_1):
            hidden_1[j] += weight_1[row + j]
    for bit in range(num_bits):
        if observation[bit]:
            for j in range(size_1):
                hidden_1[j] += weight_1[bit * size_1 + j]
    for j in range(size_1):
        hidden_1[j] = tanh(hidden_1[j])
    for j in range(size_2):
        hidden_2[j] = state.bias_2[j]
    for i in range(size_1):
        for j in range(size_2):
            hidden_2[j] += hidden_1[i] * weight_2[i * size_2 + j]
    for j in range(size_2):
        hidden_2[j] = tanh(hidden_2[j])
    for j in range(num_actions):
        logits[j] = state.bias_3[j]
    for i in range(size_2):
        for j in range(num_actions):
            logits[j] += hidden_2[i] * weight_3[i, j]
    for j in range(num_actions):
        cause, spent = state.cause[j], state.spent[j]
        if (cause >= 0 and not observation[cause]) or (spent >= 0 and observation[spent]):
            logits[j] = USELESS

    highest = logits[0]
    for j in range(num_actions):
        highest = max(highest, logits[j])
    total = 0.0
    for j in range(num_actions):
        total += exp(np.float64(logits[j]) - np.float64(highest))
        cumulative[j] = total
    log_total = log(total)
    for j in range(num_actions):
        logits[j] = (np.float64(logits[j]) - np.float64(highest)) - log_total
        cumulative[j] /= total


@kernel
def place_of(states: npt.NDArray[np.void], observation: npt.NDArray[np.int8], workflow_id: int) -> int:
    """Return where the distribution at an observation is kept in `states[0]`; -1 if the actor can't have one."""
    state = states[0]
    return look_up(state, observation, workflow_id) if fits(state, observation, workflow_id) else -1


@kernel
def sample_action(
    states: npt.NDArray[np.void], observation: npt.NDArray[np.int8], workflow_id: int, uniform: float, greedy: bool
) -> tuple[int, float]:
    """Return an action and its log-probability, by the actor `states[0]`; -1 and 0 if it can't have any."""
    state = states[0]
    if not fits(state, observation, workflow_id):
        return -1, 0.0
    return choose(state, look_up(state, observation, workflow_id), uniform, greedy)
