"""An epoch of PPO as machine code: minibatch by minibatch, loss, gradient and step, on the distinct inputs alone.

steps of a minibatch --group_steps--> its distinct inputs, in blocks
a block --forward--> logits or values --policy_gradient or value_gradient_at--> their gradient --backward--> sum
sum over the blocks --Adam--> weights

Actor and critic share nothing: a call is about one of them, and two calls may run side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.numerics.compiled import compiled, int64, kernel
from pipeline.numerics.elementary import exp
from pipeline.ppo.compiled.adam import step
from pipeline.ppo.compiled.loss_gradient import mask_logits, policy_gradient, softmax_terms, value_gradient_at
from pipeline.ppo.compiled.mlp import BLOCK, Mlp, backward, forward, padded_rows, update_transposes
from pipeline.ppo.compiled.steps import Steps, Workspace, group_steps

if TYPE_CHECKING:
    import numpy.typing as npt

EVALUATE_ACTOR, EVALUATE_CRITIC, TRAIN_ACTOR, TRAIN_CRITIC = map(int64, range(4))
"""What `run` may be asked for."""


@kernel
def run(
    task: int,
    network: Mlp,
    num_adam_steps: npt.NDArray[np.int64],
    steps: Steps,
    workspace: Workspace,
    permutation: npt.NDArray[np.int64],
    num_minibatches: int,
    settings: npt.NDArray[np.void],
    means: npt.NDArray[np.float64],
) -> None:
    """Do one of four things, in one kernel because most of what they call is the same and takes seconds to compile.

    `EVALUATE_ACTOR` writes `log_prob_old` and `importance` of `steps`, `EVALUATE_CRITIC` writes `values`: of the policy
    that the update begins with. The other two take one gradient step per minibatch, and write nothing of `steps`.

    Args:
        task: Which.
        network: The actor or the critic.
        num_adam_steps: `[1]` int64, its so far; counted on.
        steps: What was seen, done and answered.
        workspace: Memory to work in, which no call beside this one has.
        permutation: `[N]` int64, all steps in the order of the minibatches.
        num_minibatches: How many. Where they don't divide, the first ones have one step more.
        settings: `[1]` of `SETTINGS`.
        means: `[5]` float64, written by training: means over the minibatches of those of `loss_gradient.METRICS` that
            are the network's, 0 for the others.
    """
    if task == EVALUATE_ACTOR:
        _evaluate_actor(network, steps, workspace, permutation, settings[0])
    elif task == EVALUATE_CRITIC:
        _evaluate_critic(network, steps, workspace)
    else:
        _train(task, network, num_adam_steps, steps, workspace, permutation, num_minibatches, settings[0], means)


@compiled
def _evaluate_actor(
    actor: Mlp, steps: Steps, workspace: Workspace, permutation: npt.NDArray[np.int64], settings: Any
) -> None:
    most = np.float32(settings.max_importance)
    update_transposes(actor)
    num_rows = group_steps(steps.row, permutation, workspace)
    for first in range(0, num_rows, BLOCK):
        block = min(BLOCK, num_rows - first)
        forward(actor, workspace.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            logits = actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns]
            mask_logits(logits, steps.masked, workspace.rows[first + i])
            log_total, _total, _entropy = softmax_terms(logits, actor.num_outputs, workspace.exps[: actor.num_columns])
            for k in range(workspace.bounds[first + i], workspace.bounds[first + i + 1]):
                s = workspace.order[k]
                steps.log_prob_old[s] = logits[steps.action[s]] - log_total
                importance = exp(steps.log_prob_old[s] - steps.log_prob_behavior[s])
                steps.importance[s] = min(importance, most)


@compiled
def _evaluate_critic(critic: Mlp, steps: Steps, workspace: Workspace) -> None:
    update_transposes(critic)
    for i in range(len(steps.values)):  # all inputs, those after an episode's last step too, which no step saw
        workspace.rows[i] = i
    for first in range(0, len(steps.values), BLOCK):
        block = min(BLOCK, len(steps.values) - first)
        forward(critic, workspace.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            steps.values[first + i] = critic.outputs[i * critic.num_columns]


@compiled
def _train(
    task: int,
    network: Mlp,
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
        _add_gradient(task, network, steps, workspace, permutation[start:end], settings, means)
        num_adam_steps[0] += 1
        step(network, num_adam_steps[0], settings)
        update_transposes(network)
        start = end
    for i in range(len(means)):
        means[i] /= num_minibatches


@compiled
def _add_gradient(
    task: int,
    network: Mlp,
    steps: Steps,
    workspace: Workspace,
    minibatch: npt.NDArray[np.int64],
    settings: Any,
    sums: npt.NDArray[np.float64],
) -> None:
    """Compute a minibatch's gradient at the network's weights, and add its metrics to `sums`."""
    network.gradient[:] = 0
    num_rows = group_steps(steps.row, minibatch, workspace)
    for first in range(0, num_rows, BLOCK):
        block = min(BLOCK, num_rows - first)
        forward(network, workspace.rows, first, block, steps.starts, steps.ones)
        if task == TRAIN_ACTOR:
            policy_gradient(
                network.outputs, network.num_outputs, steps, workspace, first, block, len(minibatch), settings, sums
            )
        else:
            for i in range(block):
                begin, end = workspace.bounds[first + i], workspace.bounds[first + i + 1]
                value = network.outputs[i * network.num_columns : (i + 1) * network.num_columns]
                value_gradient_at(value, steps, workspace, begin, end, len(minibatch), settings, sums)
        # what `forward` computed beyond the block
        network.outputs[block * network.num_columns : padded_rows(block) * network.num_columns] = 0
        backward(network, workspace.rows, first, block, steps.starts, steps.ones)
