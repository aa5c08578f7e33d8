"""One PPO update: a full batch and a policy in, a better policy out.

    batch -> rewards, values -> advantages, targets -> epochs of minibatches, on a copy -+-> policy adopts it
                                                                                         '-> TrainingDivergedError

Of a batch's thousands of observations a few hundred are distinct, and the networks run on those alone: a
step's log-probability and value are gathered from the row of its observation, and a row's entropy counts as
often as the row occurs. Loss and gradient are those of the plain computation, rounding aside, for a fraction
of its time.

On one torch thread, as the pipeline's threads have it, the result is a function of the arguments,
to the bit. torch's own random generators are not used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from pipeline.errors import PipelineError, SetupError
from pipeline.learn import losses
from pipeline.learn.batch import distinct_rows
from pipeline.learn.returns import discounted_returns, gae
from pipeline.policy.network import ActorCritic, network_inputs
from pipeline.workflows.orders import one_hot

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

    from pipeline.learn.batch import Batch
    from pipeline.learn.recipe import Recipe
    from pipeline.policy.store import PolicyState

STANDARDISE_EPS = 1e-8
"""Keeps a batch whose steps are all alike from a division by 0."""


class TrainingDivergedError(PipelineError):
    """An update met a number that is not finite; the policy is as it was before."""

    def __init__(self, workflow_id: int, update_index: int, epoch: int, what: str) -> None:
        super().__init__(
            f"workflow {workflow_id}, update {update_index}, epoch {epoch}: {what} is not finite. The policy "
            "keeps the weights that it had before this update. Run with --debug to check that workers write "
            "every field of every episode; if they do, try --recipe default or a smaller --alignment-lambda"
        )


class UpdateFailedError(PipelineError):
    """An update raised; the policy is as it was before."""

    def __init__(self, workflow_id: int, update_index: int, error: Exception) -> None:
        super().__init__(
            f"workflow {workflow_id}, update {update_index}: the learner failed: {type(error).__name__}: {error}. The "
            "policy keeps the weights that it had before this update, and resuming the run tries it again. If memory "
            "was short, give fewer --workers, or --device cpu"
        )


class NoSuchDeviceError(SetupError):
    """The device that was asked for is not there."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"--device {name}: torch {torch.__version__} sees no CUDA device. Use --device auto or cpu, or "
            "install a torch that was built for the machine's driver"
        )


@dataclass(frozen=True, slots=True)
class UpdateMetrics:
    """What an update did; all but the last two are means over the minibatches of its last epoch."""

    policy_loss: float
    value_loss: float
    """In squared units of the critic (`Recipe.reward_scale`)."""
    entropy: float
    """Nats."""
    approx_kl: float
    """Nats, from the policy that the update began with."""
    clip_fraction: float
    num_epochs: int
    """Epochs that ran, the one that met the KL stop included."""
    learning_rate: float


@dataclass(frozen=True, slots=True)
class _Samples:
    """A batch as PPO reads it: `N = B * T` steps that refer to `U` distinct observations."""

    inputs: Tensor  # [U, 77] float32
    row: npt.NDArray[np.intp]  # [N], which of the U each step saw
    action: Tensor  # [N] int64
    log_prob_old: Tensor  # [N] float32, of the policy that the update begins with
    importance: Tensor  # [N] float32
    advantage: Tensor  # [N] float32
    target: Tensor  # [N] float32, for the critic


def resolve_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """Return the device to learn on; `auto` takes a GPU if there is one.

    Raises:
        NoSuchDeviceError: `cuda` was asked for and is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise NoSuchDeviceError(name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def update(
    policy: PolicyState,
    batch: Batch,
    recipe: Recipe,
    *,
    alignment_lambda: float,
    progress: float,
    generator: np.random.Generator,
    device: torch.device,
) -> UpdateMetrics:
    """Train a policy on a batch.

    Args:
        policy: Replaced in place by the trained one, with one update and `B` episodes more.
        batch: Full. An older version of the policy may have played it (`losses.clipped_policy_loss`).
        recipe: The hyper-parameters.
        alignment_lambda: Points that full compliance is worth per episode.
        progress: Share of the workflow's episode cap that is used, 0 to 1: where the learning rate stands.
        generator: Shuffles the minibatches.
        device: Where to compute; the policy itself stays where it is.

    Raises:
        BatchNotFullError: A row is missing.
        TrainingDivergedError: A number that came with the batch, a loss, a weight or a moment of Adam is not finite.
        ValueError: An observation has a value that is neither 0 nor 1.
    """
    trained = policy.copy_to(device)
    learning_rate = recipe.learning_rate_at(progress)
    for group in trained.optimizer.param_groups:
        group.update(lr=learning_rate, betas=recipe.adam_betas, eps=recipe.adam_eps)

    def diverged(epoch: int, what: str) -> TrainingDivergedError:
        return TrainingDivergedError(policy.workflow_id, policy.num_updates, epoch, what)

    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is told below, and not as a warning
        samples = _samples(trained.network, batch, recipe, alignment_lambda, one_hot(policy.workflow_id), device)
    if not np.isfinite(batch.log_prob).all():
        raise diverged(0, "log_prob")
    for what, values in (("advantage", samples.advantage), ("target", samples.target)):
        if not bool(values.isfinite().all()):
            raise diverged(0, what)
    num_epochs = 0
    for epoch in range(recipe.num_epochs):
        num_epochs += 1
        watched = _train_epoch(trained.network, trained.optimizer, samples, recipe, generator)
        for what, value in watched.items():
            if not np.isfinite(value):
                raise diverged(epoch, what)
        if watched["approx_kl"] > recipe.target_kl:
            break
    moments = (moment for state in trained.optimizer.state.values() for moment in state.values())
    for what, tensors in (("a weight", trained.network.parameters()), ("a moment of Adam", moments)):
        if not all(bool(tensor.isfinite().all()) for tensor in tensors):
            raise diverged(num_epochs - 1, what)

    trained.num_updates += 1
    trained.num_episodes += batch.num_episodes
    policy.adopt(trained)
    return UpdateMetrics(**watched, num_epochs=num_epochs, learning_rate=learning_rate)


def advantages_and_targets(
    rewards: npt.NDArray[np.float64], values: npt.NDArray[np.float64], recipe: Recipe
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return what actor and critic learn from.

    Args:
        rewards: `[B, T]`, in points.
        values: `[B, T + 1]`, the critic's, in its own units.
        recipe: Says which estimator (`Recipe.estimator`).

    Returns:
        `(advantages, targets)`, each `[B, T]`; targets in the critic's units.
    """
    scaled = rewards * recipe.reward_scale
    if recipe.estimator == "returns":
        targets = _standardised(discounted_returns(scaled, recipe.gamma))
        return targets - values[:, :-1], targets
    advantages = gae(scaled, values, recipe.gamma, recipe.gae_lambda)
    return _standardised(advantages), advantages + values[:, :-1]


def _samples(
    network: ActorCritic,
    batch: Batch,
    recipe: Recipe,
    alignment_lambda: float,
    order_one_hot: npt.NDArray[np.float32],
    device: torch.device,
) -> _Samples:
    rewards = batch.rewards(alignment_lambda)  # [B, T]
    rows, index = distinct_rows(batch.observation)  # [U, 52], [B, T + 1]
    inputs = network_inputs(rows, order_one_hot, device)
    with torch.no_grad():
        log_probs = network.log_probs(inputs)  # [U, A]
        values = network.values(inputs).cpu().numpy()[index].astype(np.float64)  # [B, T + 1]
    advantages, targets = advantages_and_targets(rewards, values, recipe)

    row = index[:, :-1].ravel()
    action = torch.from_numpy(batch.action.ravel().astype(np.int64)).to(device)
    log_prob_old = log_probs[torch.from_numpy(row).to(device), action]
    log_prob_behavior = torch.from_numpy(batch.log_prob.ravel()).to(device)
    return _Samples(
        inputs=inputs,
        row=row,
        action=action,
        log_prob_old=log_prob_old,
        importance=(log_prob_old - log_prob_behavior).exp().clamp(max=recipe.max_importance),
        advantage=torch.from_numpy(advantages.ravel().astype(np.float32)).to(device),
        target=torch.from_numpy(targets.ravel().astype(np.float32)).to(device),
    )


def _train_epoch(
    network: ActorCritic,
    optimizer: torch.optim.Adam,
    samples: _Samples,
    recipe: Recipe,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Take one gradient step per minibatch; return the means of what `UpdateMetrics` reports."""
    num_samples = len(samples.row)
    num_minibatches = max(1, round(num_samples / (recipe.minibatch_size or num_samples)))
    watched = []
    for steps in np.array_split(generator.permutation(num_samples), num_minibatches):
        loss, terms = _loss(network, samples, steps, recipe)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no annotation for it
        for parameter in network.parameters():
            # each on its own: they share nothing, and the critic's errors must not shorten the actor's step
            torch.nn.utils.clip_grad_norm_(parameter, recipe.max_grad_norm)
        optimizer.step()
        watched.append(torch.stack(list(terms.values())))
    means = torch.stack(watched).mean(dim=0).tolist()
    return dict(zip(terms, means, strict=True))


def _loss(
    network: ActorCritic, samples: _Samples, steps: npt.NDArray[np.intp], recipe: Recipe
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a minibatch and, without gradients, its terms by their names in `UpdateMetrics`."""
    device = samples.inputs.device
    rows, index, counts = np.unique(samples.row[steps], return_inverse=True, return_counts=True)
    inputs = samples.inputs[torch.from_numpy(rows).to(device)]  # [u, 77]
    weights = torch.from_numpy((counts / len(steps)).astype(np.float32)).to(device)  # [u]
    of_step = torch.from_numpy(index).to(device)  # [n]
    chosen = torch.from_numpy(steps).to(device)  # [n]

    log_probs = network.log_probs(inputs)  # [u, A]
    log_ratio = log_probs[of_step, samples.action[chosen]] - samples.log_prob_old[chosen]  # [n]
    policy_loss = losses.clipped_policy_loss(
        log_ratio, samples.advantage[chosen], samples.importance[chosen], recipe.clip_coef
    )
    value_loss = losses.value_loss(network.values(inputs)[of_step], samples.target[chosen])
    entropy = (weights * losses.entropy(log_probs)).sum()
    loss = policy_loss + recipe.vf_coef * value_loss - recipe.ent_coef * entropy

    log_ratio = log_ratio.detach()
    return loss, {
        "policy_loss": policy_loss.detach(),
        "value_loss": value_loss.detach(),
        "entropy": entropy.detach(),
        "approx_kl": losses.approx_kl(log_ratio),
        "clip_fraction": losses.clip_fraction(log_ratio, recipe.clip_coef),
    }


def _standardised(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    standardised: npt.NDArray[np.float64] = (values - values.mean()) / (values.std() + STANDARDISE_EPS)
    return standardised
