"""An epoch of PPO as machine code: minibatch by minibatch, loss, gradient and step, on the distinct inputs alone.

minibatch of steps --grouped by input--> blocks of distinct inputs --forward--> logits, values
-> per step: clipped surrogate, squared error; per input: entropy -> gradient --backward--> sum -> Adam
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.numerics.compiled import inlined, int64, kernel
from pipeline.numerics.elementary import exp
from pipeline.ppo.compiled.adam import step
from pipeline.ppo.compiled.loss_gradient import lose_policy, lose_value, normalise, rule_out
from pipeline.ppo.compiled.mlp import BLOCK, Mlp, backward, forward, turn
from pipeline.ppo.compiled.steps import Room, Steps, group

if TYPE_CHECKING:
    import numpy.typing as npt

WATCHED = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")
"""What is watched while training, by its names in `UpdateMetrics`."""
EVALUATE, TRAIN = int64(0), int64(1)
"""What `run` may be asked for."""


@kernel
def run(
    task: int,
    networks: tuple[Mlp, Mlp],
    num_adam_steps: npt.NDArray[np.int64],
    steps: Steps,
    room: Room,
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
        room: Room.
        permutation: `[N]` int64, all steps in the order of the minibatches.
        num_minibatches: How many. Where they don't divide, the first ones have one step more.
        settings: `[1]` of `SETTINGS`.
        means: `[5]` float64, written by `TRAIN`: means over the minibatches of what `WATCHED` names.
    """
    if task == EVALUATE:
        _evaluate(networks, steps, room, permutation, settings[0])
    else:
        _train(networks, num_adam_steps, steps, room, permutation, num_minibatches, settings[0], means)


@inlined
def _evaluate(
    networks: tuple[Mlp, Mlp], steps: Steps, room: Room, permutation: npt.NDArray[np.int64], settings: Any
) -> None:
    actor, critic = networks
    most = np.float32(settings.max_importance)
    for network in networks:
        turn(network)
    num_rows = group(steps.row, permutation, room)
    for first in range(0, num_rows, BLOCK):
        block = min(BLOCK, num_rows - first)
        forward(actor, room.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            logits = actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns]
            rule_out(logits, steps.masked, room.rows[first + i])
            log_total, _total, _entropy = normalise(logits, actor.num_outputs, room.exps)
            for k in range(room.bounds[first + i], room.bounds[first + i + 1]):
                s = room.order[k]
                steps.log_prob_old[s] = logits[steps.action[s]] - log_total
                importance = exp(steps.log_prob_old[s] - steps.log_prob_behavior[s])
                steps.importance[s] = min(importance, most)
    for i in range(len(steps.values)):  # there are inputs that no step saw: what came after the last one
        room.rows[i] = i
    for first in range(0, len(steps.values), BLOCK):
        block = min(BLOCK, len(steps.values) - first)
        forward(critic, room.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            steps.values[first + i] = critic.outputs[i * critic.num_columns]


@inlined
def _train(
    networks: tuple[Mlp, Mlp],
    num_adam_steps: npt.NDArray[np.int64],
    steps: Steps,
    room: Room,
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
        _add_gradient(networks, steps, room, permutation[start:end], settings, means)
        for i in range(len(networks)):
            num_adam_steps[i] += 1
            step(networks[i], num_adam_steps[i], settings)
            turn(networks[i])
        start = end
    for i in range(len(means)):
        means[i] /= num_minibatches


@inlined
def _add_gradient(
    networks: tuple[Mlp, Mlp],
    steps: Steps,
    room: Room,
    minibatch: npt.NDArray[np.int64],
    settings: Any,
    sums: npt.NDArray[np.float64],
) -> None:
    """Compute a minibatch's gradient at both networks, and add what is watched to `sums`."""
    actor, critic = networks
    for network in networks:
        network.gradient[:] = 0
    num_rows = group(steps.row, minibatch, room)
    for first in range(0, num_rows, BLOCK):
        block = min(BLOCK, num_rows - first)
        for network in networks:
            forward(network, room.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            begin, end = room.bounds[first + i], room.bounds[first + i + 1]
            logits = actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns]
            rule_out(logits, steps.masked, room.rows[first + i])
            lose_policy(logits, actor.num_outputs, steps, room, begin, end, len(minibatch), settings, sums)
            value = critic.outputs[i * critic.num_columns : (i + 1) * critic.num_columns]
            lose_value(value, steps, room, begin, end, len(minibatch), settings, sums)
        for i in range(block, min(BLOCK, (block + 3) // 4 * 4)):  # what `forward` computed beyond the block
            actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns] = 0
            critic.outputs[i * critic.num_columns : (i + 1) * critic.num_columns] = 0
        for network in networks:
            backward(network, room.rows, first, block, steps.starts, steps.ones)
