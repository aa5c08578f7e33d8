"""The loss of one distinct input, and its gradient at the network's outputs: the terms of `losses`, by hand.

Gradients of all steps that saw the same input are added up at its outputs, so that a distinct input goes forward and
backward once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.numerics.compiled import compiled
from pipeline.numerics.elementary import exp, expm1, log
from pipeline.numerics.lanes import add, add_products, broadcast, load, maximum, reduce_max, reduce_sum
from pipeline.numerics.lanes_code import WIDTH
from pipeline.policy.params import USELESS

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.ppo.compiled.steps import Steps, Workspace

METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")
"""What is summed over a minibatch's steps, by its names in `UpdateMetrics`."""
POLICY_LOSS, VALUE_LOSS, ENTROPY, APPROX_KL, CLIP_FRACTION = range(len(METRICS))
_USELESS = np.float32(USELESS)


@compiled
def mask_logits(logits: npt.NDArray[np.float32], masked: npt.NDArray[np.bool_], row: int) -> None:
    """Give the actions that are masked at an input `USELESS` as their logit: their probability is 0, as is `exp` of it.

    Args:
        logits: `[C]` float32, of the input.
        masked: `[U, A]`, or `[U, 0]` where nothing is masked.
        row: Which input.
    """
    for j in range(masked.shape[1]):
        if masked[row, j]:
            logits[j] = _USELESS


@compiled
def softmax_terms(
    logits: npt.NDArray[np.float32], num_outputs: int, exps: npt.NDArray[np.float32]
) -> tuple[np.float32, np.float32, np.float32]:
    """Subtract the highest logit from all, and return what turns them into a distribution.

    Args:
        logits: `[C]` float32, changed.
        num_outputs: How many of them are actions'; the padding becomes 0.
        exps: `[C]` float32, written: e to the logits, 0 for the padding.

    Returns:
        `(log_total, total, entropy)`: log-probabilities are `logits - log_total`, probabilities `exps / total`.
    """
    columns = len(exps)
    for j in range(num_outputs, columns):
        logits[j] = logits[0]
    largest = load(logits, 0)
    for j in range(WIDTH, columns, WIDTH):
        largest = maximum(largest, load(logits, j))
    top = reduce_max(largest)
    for j in range(columns):
        logits[j] -= top
        exps[j] = exp(logits[j])
    for j in range(num_outputs, columns):
        logits[j] = 0
        exps[j] = 0
    totals, products = broadcast(np.float32(0.0)), broadcast(np.float32(0.0))
    for j in range(0, columns, WIDTH):
        totals = add(totals, load(exps, j))
        products = add_products(products, load(exps, j), load(logits, j))
    total = reduce_sum(totals)
    log_total = log(total)
    return log_total, total, log_total - reduce_sum(products) / total


@compiled
def policy_gradient_at(
    logits: npt.NDArray[np.float32],
    num_outputs: int,
    steps: Steps,
    workspace: Workspace,
    begin: int,
    end: int,
    minibatch_size: int,
    settings: Any,
    sums: npt.NDArray[np.float64],
) -> None:
    """Replace one input's logits by the gradient of policy loss and entropy bonus at them.

    Args:
        logits: `[C]` float32.
        num_outputs: How many of them are actions'.
        steps: The batch.
        workspace: After `group_steps`.
        begin: Where the steps that saw the input begin in `workspace.order`.
        end: Where they end.
        minibatch_size: Steps of the whole minibatch, over which losses are means.
        settings: One of `SETTINGS`.
        sums: `[5]` float64, of `METRICS`; what the input adds to its minibatch's means is added.
    """
    exps = workspace.exps
    log_total, total, entropy = softmax_terms(logits, num_outputs, exps)
    clip = np.float32(settings.clip_coef)
    one, zero = np.float32(1.0), np.float32(0.0)
    low, high = one - clip, one + clip
    share = one / np.float32(minibatch_size)
    bonus = np.float32(settings.ent_coef) * np.float32(end - begin) * share
    sums[ENTROPY] += np.float64(entropy) * (end - begin) / minibatch_size

    d_log_probs = zero
    for k in range(begin, end):
        s = workspace.order[k]
        log_ratio = (logits[steps.action[s]] - log_total) - steps.log_prob_old[s]
        ratio_less_1 = expm1(log_ratio)
        ratio = ratio_less_1 + one
        clipped_ratio = low if ratio < low else min(ratio, high)
        advantage = steps.advantage[s]
        unclipped, clipped = ratio * advantage, clipped_ratio * advantage
        sums[POLICY_LOSS] -= np.float64(steps.importance[s] * min(unclipped, clipped)) / minibatch_size
        sums[APPROX_KL] += np.float64(ratio_less_1 - log_ratio) / minibatch_size
        if abs(ratio_less_1) > clip:
            sums[CLIP_FRACTION] += 1.0 / minibatch_size
        gradient = zero if clipped < unclipped else -share * steps.importance[s] * unclipped
        workspace.d_log_prob[k] = gradient
        d_log_probs += gradient
    for j in range(len(exps)):
        prob = exps[j] / total
        logits[j] = prob * (bonus * ((logits[j] - log_total) + entropy) - d_log_probs)
    for k in range(begin, end):
        logits[steps.action[workspace.order[k]]] += workspace.d_log_prob[k]


@compiled
def value_gradient_at(
    value: npt.NDArray[np.float32],
    steps: Steps,
    workspace: Workspace,
    begin: int,
    end: int,
    minibatch_size: int,
    settings: Any,
    sums: npt.NDArray[np.float64],
) -> None:
    """Replace one input's value by the gradient of the value loss at it.

    Args:
        value: `[C]` float32, the value and the padding, which becomes 0.
        steps: See `policy_gradient_at`, as for the others.
        workspace: As said.
        begin: As said.
        end: As said.
        minibatch_size: As said.
        settings: As said.
        sums: As said.
    """
    share = np.float32(settings.vf_coef) / np.float32(minibatch_size)
    gradient = np.float32(0.0)
    for k in range(begin, end):
        error = value[0] - steps.target[workspace.order[k]]
        sums[VALUE_LOSS] += 0.5 * np.float64(error * error) / minibatch_size
        gradient += share * error
    value[:] = 0
    value[0] = gradient
