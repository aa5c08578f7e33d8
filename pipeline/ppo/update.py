"""One PPO update: a full batch and a policy in, a better policy out.

    batch -> rewards, values -> advantages, targets -> epochs of minibatches, on a copy -+-> policy takes it over
                                                                                         '-> TrainingDivergedError

Of a batch's thousands of observations a few hundred are distinct, and the networks run on those alone. Loss and
gradient are those of the plain computation, rounding aside, for a fraction of its time. On the CPU this is compiled
(`compiled_update`), on a GPU torch does it (`autograd`).

The result is a function of the arguments, to the bit. torch's own random generators are not used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.errors import PipelineError, SetupError
from pipeline.policy import network
from pipeline.policy.store import PolicyState
from pipeline.ppo.autograd import AutogradUpdate
from pipeline.ppo.batch import Batch
from pipeline.ppo.compiled.update import CompiledUpdate
from pipeline.ppo.recipe import DEFAULT
from pipeline.ppo.returns import discounted_returns, gae
from pipeline.ppo.samples import Samples

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import numpy.typing as npt

    from pipeline.ppo.recipe import Recipe

STANDARDISE_EPS = 1e-8
"""Keeps a batch whose steps are all alike from a division by 0."""


class TrainingDivergedError(PipelineError):
    """An update met a number that is not finite; the policy is as it was before."""

    def __init__(self, workflow_id: int, update_index: int, epoch: int, what: str) -> None:
        super().__init__(
            f"workflow {workflow_id}, update {update_index}, epoch {epoch}: {what} is not finite. The policy "
            "keeps the weights that it had before this update. Run with --debug to check that workers write "
            "every field of every episode; if they do, try --recipe default, or a smaller --ppo.learning-rate or "
            "--alignment-lambda"
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
            f"--device {name}: torch {torch.__version__} sees no CUDA device. Use --device cpu, or "
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


def learning_device(name: str) -> torch.device:
    """Return the device to learn on, `cpu` or `cuda`.

    Raises:
        NoSuchDeviceError: `cuda` was asked for and is not there.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise NoSuchDeviceError(name)
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
    helper: Executor | None = None,
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
        helper: One thread on which, on the CPU, the critic learns beside the actor; it changes no bit.

    Raises:
        BatchNotFullError: A row is missing.
        TrainingDivergedError: A number that came with the batch, a loss, a weight or a moment of Adam is not finite.
        ValueError: An observation has a value that is neither 0 nor 1.
    """
    samples = Samples.of(batch)
    learning_rate = recipe.learning_rate_at(progress)
    recipe = replace(recipe, ent_coef=recipe.ent_coef_at(progress))
    form: CompiledUpdate | AutogradUpdate
    if device.type == "cpu":
        form = CompiledUpdate(policy, samples, recipe, learning_rate, helper)
    else:
        form = AutogradUpdate(policy, samples, recipe, learning_rate, device)
    return update_by(
        form, policy, batch, samples, recipe, alignment_lambda=alignment_lambda, progress=progress, generator=generator
    )


def update_by(
    form: CompiledUpdate | AutogradUpdate,
    policy: PolicyState,
    batch: Batch,
    samples: Samples,
    recipe: Recipe,
    *,
    alignment_lambda: float,
    progress: float,
    generator: np.random.Generator,
) -> UpdateMetrics:
    """Train a policy on a batch by one of the two forms; arguments and errors as of `update`."""

    def diverged(epoch: int, what: str) -> TrainingDivergedError:
        return TrainingDivergedError(policy.workflow_id, policy.num_updates, epoch, what)

    with np.errstate(over="ignore", invalid="ignore"):  # told below as an error, if it comes to that
        values = form.evaluate()[samples.inputs.index].astype(np.float64)  # [B, T + 1]
        advantages, targets = advantages_and_targets(batch.rewards(alignment_lambda), values, recipe)
        samples.advantage[:] = advantages.ravel()
        samples.target[:] = targets.ravel()
    for what, numbers in (
        ("log_prob", batch.log_prob),
        ("advantage", samples.advantage),
        ("target", samples.target),
    ):
        if not np.isfinite(numbers).all():
            raise diverged(0, what)
    num_minibatches = max(1, round(len(samples) / (recipe.minibatch_size or len(samples))))
    num_epochs = 0
    for epoch in range(recipe.num_epochs):
        num_epochs += 1
        watched = form.train(generator.permutation(len(samples)), num_minibatches)
        for what, value in watched.items():
            if not np.isfinite(value):
                raise diverged(epoch, what)
        if watched["approx_kl"] > recipe.target_kl:
            break
    broken = form.not_finite()
    if broken:
        raise diverged(num_epochs - 1, broken)

    form.hand_over()
    policy.num_updates += 1
    policy.num_episodes += batch.num_episodes
    return UpdateMetrics(**watched, num_epochs=num_epochs, learning_rate=recipe.learning_rate_at(progress))


def warm_up() -> None:
    """Compile what an update on the CPU calls, or load it where an earlier process has kept it."""
    batch = Batch(1, 1)
    fields = {"observation", "action", "log_prob", "reward_tenths", "fix"}
    record = {name: np.zeros_like(rows[0]) for name, rows in vars(batch).items() if name in fields}
    batch.put(0, record, workflow_id=0)
    policy = PolicyState(0, network.create(np.random.default_rng(0), DEFAULT.initialisation))
    generator = np.random.default_rng(0)
    update(policy, batch, DEFAULT, alignment_lambda=0.0, progress=0.0, generator=generator, device=torch.device("cpu"))


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


def _standardised(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    standardised: npt.NDArray[np.float64] = (values - values.mean()) / (values.std() + STANDARDISE_EPS)
    return standardised
