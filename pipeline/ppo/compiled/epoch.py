"""An epoch of PPO as machine code: minibatch by minibatch, loss, gradient and step, on the distinct inputs alone.

steps of a minibatch --group_steps--> its distinct inputs, in blocks
a block --forward--> logits, values --policy_gradient_at, value_gradient_at--> gradient at both --backward--> sum
sum over the blocks --Adam--> weights
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.numerics.compiled import inlined, int64, kernel
from pipeline.numerics.elementary import exp
from pipeline.ppo.compiled.adam import step
from pipeline.ppo.compiled.loss_gradient import mask_logits, policy_gradient_at, softmax_terms, value_gradient_at
from pipeline.ppo.compiled.mlp import BLOCK, Mlp, backward, forward, padded_rows, update_transposes
from pipeline.ppo.compiled.steps import Steps, Workspace, group_steps

if TYPE_CHECKING:
    import numpy.typing as npt

EVALUATE, TRAIN = int64(0), int64(1)
"""What `run` may be asked for."""


@kernel
def run(
    task: int,
    networks: tuple[Mlp, Mlp],
    num_adam_steps: npt.NDArray[np.int64],
    steps: Steps,
    workspace: Workspace,
    permutation: npt.NDArray[np.int64],
    num_minibatches: int,
    settings: npt.NDArray[np.void],
    means: npt.NDArray[np.float64],
) -> None:
    """Do one of two things, in one kernel because most of what they call is the same and takes seconds to compile.

    `EVALUATE` writes what `steps` has of the policy that the update begins with. `TRAIN` takes one gradient step per
    minibatch.

    Args:
        task: `EVALUATE` or `TRAIN`.
        networks: Actor and critic.
        num_adam_steps: `[2]` int64, theirs so far; counted on.
        steps: What was seen, done and answered.
        workspace: Memory to work in.
        permutation: `[N]` int64, all steps in the order of the minibatches.
        num_minibatches: How many. Where they don't divide, the first ones have one step more.
        settings: `[1]` of `SETTINGS`.
        means: `[5]` float64, written by `TRAIN`: means over the minibatches of `loss_gradient.METRICS`.
    """
    if task == EVALUATE:
        _evaluate(networks, steps, workspace, permutation, settings[0])
    else:
        _train(networks, num_adam_steps, steps, workspace, permutation, num_minibatches, settings[0], means)


@inlined
def _evaluate(
    networks: tuple[Mlp, Mlp], steps: Steps, workspace: Workspace, permutation: npt.NDArray[np.int64], settings: Any
) -> None:
    actor, critic = networks
    most = np.float32(settings.max_importance)
    for network in networks:
        update_transposes(network)
    num_rows = group_steps(steps.row, permutation, workspace)
    for first in range(0, num_rows, BLOCK):
        block = min(BLOCK, num_rows - first)
        forward(actor, workspace.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            logits = actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns]
            mask_logits(logits, steps.masked, workspace.rows[first + i])
            log_total, _total, _entropy = softmax_terms(logits, actor.num_outputs, workspace.exps)
            for k in range(workspace.bounds[first + i], workspace.bounds[first + i + 1]):
                s = workspace.order[k]
                steps.log_prob_old[s] = logits[steps.action[s]] - log_total
                importance = exp(steps.log_prob_old[s] - steps.log_prob_behavior[s])
                steps.importance[s] = min(importance, most)
    for i in range(len(steps.values)):  # all inputs, those after an episode's last step too, which no step saw
        workspace.rows[i] = i
    for first in range(0, len(steps.values), BLOCK):
        block = min(BLOCK, len(steps.values) - first)
        forward(critic, workspace.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            steps.values[first + i] = critic.outputs[i * critic.num_columns]


@inlined
def _train(
    networks: tuple[Mlp, Mlp],
    num_adam_steps: npt.NDArray[np.int64],
    steps: Steps,
    workspace: Workspace,
    permutation: npt.NDArray[np.int64],
    num_minibatches: int,
    settings: Any,
    means: npt.NDArray[np.float64],
) -> None:
    size, rest = len(permutation) // num_minibatches, len(permutation) % num_minibatches
    means[:] = 0
    start = 0
    for minibatch in range(num_minibatches):
        end = start + size + (1 if minibatch < rest else 0)
        _add_gradient(networks, steps, workspace, permutation[start:end], settings, means)
        for i in range(len(networks)):
            num_adam_steps[i] += 1
            step(networks[i], num_adam_steps[i], settings)
            update_transposes(networks[i])
        start = end
    for i in range(len(means)):
        means[i] /= num_minibatches


@inlined
def _add_gradient(
    networks: tuple[Mlp, Mlp],
    steps: Steps,
    workspace: Workspace,
    minibatch: npt.NDArray[np.int64],
    settings: Any,
    sums: npt.NDArray[np.float64],
) -> None:
    """Compute a minibatch's gradient at both networks' weights, and add its metrics to `sums`."""
    actor, critic = networks
    for network in networks:
        network.gradient[:] = 0
    num_rows = group_steps(steps.row, minibatch, workspace)
    for first in range(0, num_rows, BLOCK):
        block = min(BLOCK, num_rows - first)
        for network in networks:
            forward(network, workspace.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            begin, end = workspace.bounds[first + i], workspace.bounds[first + i + 1]
            logits = actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns]
            mask_logits(logits, steps.masked, workspace.rows[first + i])
            policy_gradient_at(logits, actor.num_outputs, steps, workspace, begin, end, len(minibatch), settings, sums)
            value = critic.outputs[i * critic.num_columns : (i + 1) * critic.num_columns]
            value_gradient_at(value, steps, workspace, begin, end, len(minibatch), settings, sums)
        for i in range(block, padded_rows(block)):  # what `forward` computed beyond the block
            actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns] = 0
            critic.outputs[i * critic.num_columns : (i + 1) * critic.num_columns] = 0
        for network in networks:
            backward(network, workspace.rows, first, block, steps.starts, steps.ones)
