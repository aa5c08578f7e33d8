"""The loss of one distinct input and its gradient, taken by hand: `losses`' terms, for compiled code.

A step's gradient at its input's log-probabilities adds up over the steps that saw the same input, so that a distinct
input goes forward and backward once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.numerics.compiled import compiled
from pipeline.numerics.elementary import exp, expm1, log
from pipeline.numerics.lanes import add, add_products, highest, highest_of, load, spread, sum_of
from pipeline.numerics.lanes_code import WIDTH
from pipeline.policy.params import USELESS

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.ppo.compiled.steps import Room, Steps

_USELESS = np.float32(USELESS)


@compiled
def rule_out(logits: npt.NDArray[np.float32], masked: npt.NDArray[np.bool_], row: int) -> None:
    """Make useless actions impossible: what is left of them, 1e-38 or so, no weight notices."""
    for j in range(masked.shape[1]):
        if masked[row, j]:
            logits[j] = _USELESS


@compiled
def normalise(
    logits: npt.NDArray[np.float32], num_outputs: int, exps: npt.NDArray[np.float32]
) -> tuple[np.float32, np.float32, np.float32]:
    """Take the highest logit off all, and return what turns them into a distribution.

    Returns:
        `(log_total, total, entropy)`: log-probabilities are `logits - log_total`, probabilities `exps / total`.
    """
    columns = len(exps)
    for j in range(num_outputs, columns):
        logits[j] = logits[0]
    largest = load(logits, 0)
    for j in range(WIDTH, columns, WIDTH):
        largest = highest(largest, load(logits, j))
    top = highest_of(largest)
    for j in range(columns):
        logits[j] -= top
        exps[j] = exp(logits[j])
    for j in range(num_outputs, columns):
        logits[j] = 0
        exps[j] = 0
    totals, products = spread(np.float32(0.0)), spread(np.float32(0.0))
    for j in range(0, columns, WIDTH):
        totals = add(totals, load(exps, j))
        products = add_products(products, load(exps, j), load(logits, j))
    total = sum_of(totals)
    log_total = log(total)
    return log_total, total, log_total - sum_of(products) / total


@compiled
def lose_policy(
    logits: npt.NDArray[np.float32],
    num_outputs: int,
    steps: Steps,
    room: Room,
    begin: int,
    end: int,
    minibatch_size: int,
    settings: Any,
    sums: npt.NDArray[np.float64],
) -> None:
    """Put the gradient of policy loss and entropy bonus, at one input's logits, in their place."""
    exps = room.exps
    log_total, total, entropy = normalise(logits, num_outputs, exps)
    clip = np.float32(settings.clip_coef)
    one, nothing = np.float32(1.0), np.float32(0.0)
    low, high = one - clip, one + clip
    share = one / np.float32(minibatch_size)
    bonus = np.float32(settings.ent_coef) * np.float32(end - begin) * share
    sums[2] += np.float64(entropy) * (end - begin) / minibatch_size

    pull = nothing
    for k in range(begin, end):
        s = room.order[k]
        log_ratio = (logits[steps.action[s]] - log_total) - steps.log_prob_old[s]
        beyond = expm1(log_ratio)
        ratio = beyond + one
        clipped = low if ratio < low else (min(ratio, high))
        advantage = steps.advantage[s]
        free, bound = ratio * advantage, clipped * advantage
        surrogate = min(free, bound)
        sums[0] -= np.float64(steps.importance[s] * surrogate) / minibatch_size
        sums[3] += np.float64(beyond - log_ratio) / minibatch_size
        if abs(beyond) > clip:
            sums[4] += 1.0 / minibatch_size
        gradient = nothing if bound < free else -share * steps.importance[s] * free
        room.pulls[k] = gradient
        pull += gradient
    for j in range(len(exps)):
        prob = exps[j] / total
        logits[j] = prob * (bonus * ((logits[j] - log_total) + entropy) - pull)
    for k in range(begin, end):
        logits[steps.action[room.order[k]]] += room.pulls[k]


@compiled
def lose_value(
    value: npt.NDArray[np.float32],
    steps: Steps,
    room: Room,
    begin: int,
    end: int,
    minibatch_size: int,
    settings: Any,
    sums: npt.NDArray[np.float64],
) -> None:
    """Put the gradient of the value loss, at one input's value, in its place."""
    share = np.float32(settings.vf_coef) / np.float32(minibatch_size)
    gradient = np.float32(0.0)
    for k in range(begin, end):
        error = value[0] - steps.target[room.order[k]]
        sums[1] += 0.5 * np.float64(error * error) / minibatch_size
        gradient += share * error
    value[:] = 0
    value[0] = gradient
