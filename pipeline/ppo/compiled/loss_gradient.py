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
from pipeline.ppo.compiled.mlp import BLOCK

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.ppo.compiled.steps import Steps, Workspace

METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")
"""What is summed over a minibatch's steps, by its names in `UpdateMetrics`."""
POLICY_LOSS, VALUE_LOSS, ENTROPY, APPROX_KL, CLIP_FRACTION = range(len(METRICS))
_USELESS = np.float32(USELESS)
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


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
        num_outputs: How many of them are actions'; the padding is 0 and stays so.
        exps: `[C]` float32, written: e to the logits; its padding is 0 as well.

    Returns:
        `(log_total, total, entropy)`: log-probabilities are `logits - log_total`, probabilities `exps / total`.
    """
    whole = num_outputs // WIDTH * WIDTH
    largest = broadcast(logits[0])
    for j in range(0, whole, WIDTH):
        largest = maximum(largest, load(logits, j))
    top = reduce_max(largest)
    for j in range(whole, num_outputs):
        top = max(top, logits[j])
    for j in range(num_outputs):
        logits[j] -= top
        exps[j] = exp(logits[j])
    totals, products = broadcast(_ZERO), broadcast(_ZERO)
    for j in range(0, len(exps), WIDTH):
        totals = add(totals, load(exps, j))
        products = add_products(products, load(exps, j), load(logits, j))
    total = reduce_sum(totals)
    log_total = log(total)
    return log_total, total, log_total - reduce_sum(products) / total


@compiled
def policy_gradient(
    logits: npt.NDArray[np.float32],
    num_outputs: int,
    steps: Steps,
    workspace: Workspace,
    first: int,
    num_rows: int,
    minibatch_size: int,
    settings: Any,
    sums: npt.NDArray[np.float64],
) -> None:
    """Replace the logits of a block's inputs by the gradient of policy loss and entropy bonus at them.

    In three passes, because loops over all steps of a block run sixteen at a time: few steps saw the same input.

    Args:
        logits: `[num_rows, C]` float32, flat; more may follow.
        num_outputs: How many of each input's are actions'.
        steps: The batch.
        workspace: After `group_steps`.
        first: The first of `workspace.rows` to be taken.
        num_rows: How many are; at most `BLOCK`.
        minibatch_size: Steps of the whole minibatch, over which losses are means.
        settings: One of `SETTINGS`.
        sums: `[5]` float64, of `METRICS`; what the inputs add to their minibatch's means is added.
    """
    columns = len(workspace.exps) // BLOCK
    for i in range(num_rows):
        row = logits[i * columns : (i + 1) * columns]
        exps = workspace.exps[i * columns : (i + 1) * columns]
        mask_logits(row, steps.masked, workspace.rows[first + i])
        log_total, total, entropy = softmax_terms(row, num_outputs, exps)
        workspace.log_total[i], workspace.total[i], workspace.entropy[i] = log_total, total, entropy
        begin, end = workspace.bounds[first + i], workspace.bounds[first + i + 1]
        sums[ENTROPY] += np.float64(entropy) * (end - begin) / minibatch_size
        for k in range(begin, end):
            s = workspace.order[k]
            workspace.log_ratio[k] = (row[steps.action[s]] - log_total) - steps.log_prob_old[s]
            workspace.advantage[k] = steps.advantage[s]
            workspace.importance[k] = steps.importance[s]

    begin, end = workspace.bounds[first], workspace.bounds[first + num_rows]
    _step_gradients(workspace, begin, end, minibatch_size, np.float32(settings.clip_coef))
    for k in range(begin, end):
        sums[POLICY_LOSS] -= workspace.policy_term[k]
        sums[APPROX_KL] += workspace.kl_term[k]
        sums[CLIP_FRACTION] += workspace.clip_term[k]

    share = _ONE / np.float32(minibatch_size)
    for i in range(num_rows):
        row = logits[i * columns : (i + 1) * columns]
        exps = workspace.exps[i * columns : (i + 1) * columns]
        begin, end = workspace.bounds[first + i], workspace.bounds[first + i + 1]
        bonus = np.float32(settings.ent_coef) * np.float32(end - begin) * share
        log_total, total, entropy = workspace.log_total[i], workspace.total[i], workspace.entropy[i]
        d_log_probs = _ZERO
        for k in range(begin, end):
            d_log_probs += workspace.d_log_prob[k]
        for j in range(columns):
            prob = exps[j] / total
            row[j] = prob * (bonus * ((row[j] - log_total) + entropy) - d_log_probs)
        for k in range(begin, end):
            row[steps.action[workspace.order[k]]] += workspace.d_log_prob[k]


@compiled
def _step_gradients(workspace: Workspace, begin: int, end: int, minibatch_size: int, clip: np.float32) -> None:
    """Compute the gradient at each step's log-probability, and what the step adds to the metrics."""
    low, high = _ONE - clip, _ONE + clip
    share = _ONE / np.float32(minibatch_size)
    for k in range(begin, end):
        ratio_less_1 = expm1(workspace.log_ratio[k])
        ratio = ratio_less_1 + _ONE
        clipped_ratio = low if ratio < low else min(ratio, high)
        unclipped, clipped = ratio * workspace.advantage[k], clipped_ratio * workspace.advantage[k]
        importance = workspace.importance[k]
        workspace.policy_term[k] = np.float64(importance * min(unclipped, clipped)) / minibatch_size
        workspace.kl_term[k] = np.float64(ratio_less_1 - workspace.log_ratio[k]) / minibatch_size
        workspace.clip_term[k] = (1.0 if abs(ratio_less_1) > clip else 0.0) / minibatch_size
        workspace.d_log_prob[k] = _ZERO if clipped < unclipped else -share * importance * unclipped


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
