"""An epoch of PPO as machine code: minibatch by minibatch, loss, gradient and step, on the distinct inputs alone.

    minibatch of steps --grouped by input--> blocks of distinct inputs --forward--> logits, values
        -> per step: clipped surrogate, squared error; per input: entropy -> gradient --backward--> sum -> Adam

The gradient of `losses`' terms is taken by hand. A step's gradient at its input's log-probabilities adds up over the
steps that saw the same input, so that a distinct input goes forward and backward once.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline.cage2.engine import compiled as compiling
from pipeline.cage2.engine.compiled import COMPILED, compiled, int64, kernel
from pipeline.learn import adam, elementary, lanes, mlp
from pipeline.learn.adam import step
from pipeline.learn.elementary import exp, expm1, log
from pipeline.learn.lanes import WIDTH, add, add_products, highest, highest_of, load, spread, sum_of
from pipeline.learn.mlp import BLOCK, Mlp, backward, forward, lay_across

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.learn.recipe import Recipe

WATCHED = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")
"""What is watched while training, by its names in `UpdateMetrics`."""
EVALUATE, TRAIN = int64(0), int64(1)
"""What `run` may be asked for."""


def _digest() -> str:
    digest = hashlib.sha256()
    for path in (__file__, adam.__file__, elementary.__file__, lanes.__file__, mlp.__file__, compiling.__file__):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()[:12]


SETTINGS = np.dtype(
    [
        *((name, np.float64) for name in ("learning_rate", "beta_1", "beta_2", "adam_eps", "max_grad_norm")),
        *((name, np.float64) for name in ("clip_coef", "ent_coef", "vf_coef", "max_importance")),
        # makes kept machine code stale when one of these files changes: numba looks at the kernels' own only
        (f"epoch_{_digest()}", np.uint8),
    ],
    align=True,
)
"""What of a recipe an epoch needs."""


class Steps(NamedTuple):
    """A batch as an epoch reads it: `N` steps that saw `U` distinct inputs."""

    starts: npt.NDArray[np.int64]
    """`[U + 1]`, where each input's ones begin."""
    ones: npt.NDArray[np.int64]
    """`[...]`, which values of each input are 1, one input after the other; the others are 0."""
    row: npt.NDArray[np.int64]
    """`[N]`, which input each step saw."""
    action: npt.NDArray[np.uint8]
    """`[N]`."""
    log_prob_behavior: npt.NDArray[np.float32]
    """`[N]`, of the policy that played."""
    log_prob_old: npt.NDArray[np.float32]
    """`[N]`, of the policy that the update begins with."""
    importance: npt.NDArray[np.float32]
    """`[N]`."""
    advantage: npt.NDArray[np.float32]
    """`[N]`."""
    target: npt.NDArray[np.float32]
    """`[N]`, for the critic."""
    values: npt.NDArray[np.float32]
    """`[U]`, of the critic that the update begins with."""


class Room(NamedTuple):
    """Room to sort steps by their inputs in, and for one distribution."""

    num_steps: npt.NDArray[np.int64]
    """`[U]`, steps of a minibatch that saw each input; 0 between minibatches."""
    rows: npt.NDArray[np.int64]
    """`[U]`, the inputs that a minibatch saw, ascending."""
    bounds: npt.NDArray[np.int64]
    """`[U + 1]`, where the steps that saw each of `rows` begin in `order`."""
    order: npt.NDArray[np.int64]
    """`[N]`, the steps of a minibatch by their inputs."""
    pulls: npt.NDArray[np.float32]
    """`[N]`, the gradient at each of `order`'s log-probabilities."""
    exps: npt.NDArray[np.float32]
    """`[C]`, e to the logits, less the highest of them."""


def settings_of(recipe: Recipe, learning_rate: float) -> npt.NDArray[np.void]:
    """Return `[1]` of `SETTINGS`."""
    settings: npt.NDArray[np.void] = np.zeros(1, SETTINGS)
    settings["learning_rate"] = learning_rate
    settings["beta_1"], settings["beta_2"] = recipe.adam_betas
    for name in ("adam_eps", "max_grad_norm", "clip_coef", "ent_coef", "vf_coef", "max_importance"):
        settings[name] = getattr(recipe, name)
    return settings if COMPILED else settings.view(np.recarray)


def room_for(num_rows: int, num_steps: int, num_columns: int) -> Room:
    """Return room for `U` inputs, `N` steps and `C` logits."""
    return Room(
        np.zeros(num_rows, np.int64),
        np.empty(num_rows, np.int64),
        np.empty(num_rows + 1, np.int64),
        np.empty(num_steps, np.int64),
        np.empty(num_steps, np.float32),
        np.zeros(num_columns, np.float32),
    )


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
    """Do one of two things; they are one kernel because most of what they call is the same, and takes seconds to compile.

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


@compiled
def _evaluate(
    networks: tuple[Mlp, Mlp], steps: Steps, room: Room, permutation: npt.NDArray[np.int64], settings: Any
) -> None:
    actor, critic = networks
    most = np.float32(settings.max_importance)
    for network in networks:
        lay_across(network)
    num_rows = _group(steps.row, permutation, room)
    for first in range(0, num_rows, BLOCK):
        block = min(BLOCK, num_rows - first)
        forward(actor, room.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            logits = actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns]
            log_total, _total, _entropy = _normalise(logits, actor.num_outputs, room.exps)
            for k in range(room.bounds[first + i], room.bounds[first + i + 1]):
                s = room.order[k]
                steps.log_prob_old[s] = logits[steps.action[s]] - log_total
                importance = exp(steps.log_prob_old[s] - steps.log_prob_behavior[s])
                steps.importance[s] = most if importance > most else importance
    for i in range(len(steps.values)):  # there are inputs that no step saw: what came after the last one
        room.rows[i] = i
    for first in range(0, len(steps.values), BLOCK):
        block = min(BLOCK, len(steps.values) - first)
        forward(critic, room.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            steps.values[first + i] = critic.outputs[i * critic.num_columns]


@compiled
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
            lay_across(networks[i])
        start = end
    for i in range(len(means)):
        means[i] /= num_minibatches


@compiled
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
    num_rows = _group(steps.row, minibatch, room)
    for first in range(0, num_rows, BLOCK):
        block = min(BLOCK, num_rows - first)
        for network in networks:
            forward(network, room.rows, first, block, steps.starts, steps.ones)
        for i in range(block):
            begin, end = room.bounds[first + i], room.bounds[first + i + 1]
            logits = actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns]
            _lose_policy(logits, actor.num_outputs, steps, room, begin, end, len(minibatch), settings, sums)
            value = critic.outputs[i * critic.num_columns : (i + 1) * critic.num_columns]
            _lose_value(value, steps, room, begin, end, len(minibatch), settings, sums)
        for i in range(block, min(BLOCK, (block + 3) // 4 * 4)):  # what `forward` computed beyond the block
            actor.outputs[i * actor.num_columns : (i + 1) * actor.num_columns] = 0
            critic.outputs[i * critic.num_columns : (i + 1) * critic.num_columns] = 0
        for network in networks:
            backward(network, room.rows, first, block, steps.starts, steps.ones)


@compiled
def _group(row: npt.NDArray[np.int64], minibatch: npt.NDArray[np.int64], room: Room) -> int:
    """Sort a minibatch's steps by their inputs, in `room`; return how many inputs it saw."""
    for s in minibatch:
        room.num_steps[row[s]] += 1
    num_rows, end = 0, 0
    for r in range(len(room.num_steps)):
        if room.num_steps[r] > 0:
            room.rows[num_rows] = r
            room.bounds[num_rows] = end
            end += room.num_steps[r]
            room.num_steps[r] = end  # where its last step will lie, plus 1
            num_rows += 1
    room.bounds[num_rows] = end
    for k in range(len(minibatch) - 1, -1, -1):
        s = minibatch[k]
        room.num_steps[row[s]] -= 1
        room.order[room.num_steps[row[s]]] = s
    for i in range(num_rows):
        room.num_steps[room.rows[i]] = 0
    return num_rows


@compiled
def _normalise(
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
def _lose_policy(
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
    log_total, total, entropy = _normalise(logits, num_outputs, exps)
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
        clipped = low if ratio < low else (high if ratio > high else ratio)
        advantage = steps.advantage[s]
        free, bound = ratio * advantage, clipped * advantage
        surrogate = bound if bound < free else free
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
def _lose_value(
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
