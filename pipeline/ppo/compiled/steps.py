"""What the kernel of an update is given: settings, a batch's steps, and memory to work in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pipeline.numerics.compiled import COMPILED, compiled
from pipeline.ppo.compiled.mlp import BLOCK

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.ppo.recipe import Recipe


SETTINGS = np.dtype(
    [
        *((name, np.float64) for name in ("learning_rate", "beta_1", "beta_2", "adam_eps", "max_grad_norm")),
        *((name, np.float64) for name in ("clip_coef", "ent_coef", "vf_coef", "max_importance")),
    ],
    align=True,
)
"""What of a recipe an epoch needs."""


class Steps(NamedTuple):
    """A batch as an epoch reads it: `N` steps that saw `U` distinct inputs."""

    starts: npt.NDArray[np.int64]
    """`[U + 1]`, where each input's part of `ones` begins; the last is where they end."""
    ones: npt.NDArray[np.int64]
    """`[...]`, which values of each input are 1, one input after the other; all others are 0."""
    masked: npt.NDArray[np.bool_]
    """`[U, A]`, which actions are useless at each input; `[U, 0]` if none ever is."""
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


class Workspace(NamedTuple):
    """Memory to sort steps by their inputs in, and for a block's distributions."""

    num_steps: npt.NDArray[np.int64]
    """`[U]`, steps of a minibatch that saw each input; 0 between minibatches."""
    rows: npt.NDArray[np.int64]
    """`[U]`, the inputs that a minibatch saw, ascending."""
    bounds: npt.NDArray[np.int64]
    """`[U + 1]`, where the steps that saw each of `rows` begin in `order`."""
    order: npt.NDArray[np.int64]
    """`[N]`, the steps of a minibatch by their inputs."""
    exps: npt.NDArray[np.float32]
    """`[BLOCK, C]`, flat: e to the logits of each of a block's inputs, less the highest of them."""
    log_total: npt.NDArray[np.float32]
    """`[BLOCK]`, see `loss_gradient.softmax_terms`, as for the next two."""
    total: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]
    log_ratio: npt.NDArray[np.float32]
    """`[N]`, of each of `order`, log-probability now less `log_prob_old`."""
    advantage: npt.NDArray[np.float32]
    """`[N]`, of each of `order`."""
    importance: npt.NDArray[np.float32]
    """`[N]`, of each of `order`."""
    d_log_prob: npt.NDArray[np.float32]
    """`[N]`, the gradient at the log-probability of each of `order`'s actions."""
    policy_term: npt.NDArray[np.float64]
    """`[N]`, what each of `order` adds to the policy loss, negative; so do the next two to their metrics."""
    kl_term: npt.NDArray[np.float64]
    clip_term: npt.NDArray[np.float64]


def settings_of(recipe: Recipe, learning_rate: float) -> npt.NDArray[np.void]:
    """Return `[1]` of `SETTINGS`."""
    settings: npt.NDArray[np.void] = np.zeros(1, SETTINGS)
    settings["learning_rate"] = learning_rate
    settings["beta_1"], settings["beta_2"] = recipe.adam_betas
    for name in ("adam_eps", "max_grad_norm", "clip_coef", "ent_coef", "vf_coef", "max_importance"):
        settings[name] = getattr(recipe, name)
    return settings if COMPILED else settings.view(np.recarray)


def new_workspace(num_rows: int, num_steps: int, num_columns: int) -> Workspace:
    """Return what batches of up to `N` steps that saw `U` inputs need, for `C` outputs each."""
    log_total, total, entropy = np.zeros((3, BLOCK), np.float32)
    log_ratio, advantage, importance, d_log_prob = np.zeros((4, num_steps), np.float32)
    policy_term, kl_term, clip_term = np.zeros((3, num_steps))
    return Workspace(
        num_steps=np.zeros(num_rows, np.int64),
        rows=np.empty(num_rows, np.int64),
        bounds=np.empty(num_rows + 1, np.int64),
        order=np.empty(num_steps, np.int64),
        exps=np.zeros(BLOCK * num_columns, np.float32),
        log_total=log_total,
        total=total,
        entropy=entropy,
        log_ratio=log_ratio,
        advantage=advantage,
        importance=importance,
        d_log_prob=d_log_prob,
        policy_term=policy_term,
        kl_term=kl_term,
        clip_term=clip_term,
    )


@compiled
def group_steps(row: npt.NDArray[np.int64], minibatch: npt.NDArray[np.int64], workspace: Workspace) -> int:
    """Sort a minibatch's steps by their inputs: a counting sort, which keeps the order of those that saw the same.

    Args:
        row: `[N]`, which input each step saw.
        minibatch: `[...]`, distinct steps.
        workspace: `rows`, `bounds` and `order` are written.

    Returns:
        How many inputs the minibatch saw.
    """
    for s in minibatch:
        workspace.num_steps[row[s]] += 1
    num_rows, end = 0, 0
    for r in range(len(workspace.num_steps)):
        if workspace.num_steps[r] > 0:
            workspace.rows[num_rows] = r
            workspace.bounds[num_rows] = end
            end += workspace.num_steps[r]
            workspace.num_steps[r] = end  # counted down to where its steps begin
            num_rows += 1
    workspace.bounds[num_rows] = end
    for k in range(len(minibatch) - 1, -1, -1):
        s = minibatch[k]
        workspace.num_steps[row[s]] -= 1
        workspace.order[workspace.num_steps[row[s]]] = s
    for i in range(num_rows):
        workspace.num_steps[workspace.rows[i]] = 0
    return num_rows
