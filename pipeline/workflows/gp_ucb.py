"""Which workflow to try next, given those tried: an exact Gaussian process, and its upper confidence bound.

```
Observations -pool-> one per order -_targets-> near unit variance -fit-> Posterior of all 120 -choose-> Choice
```

GP-UCB is Srinivas et al. (2010), "Gaussian Process Optimization in the Bandit Setting". Functions here are
pure: equal arguments give equal results to the last bit, whatever the order of the observations and the
number of torch's threads.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import gpytorch
import numpy as np
import torch
from gpytorch.distributions import MultivariateNormal
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood
from gpytorch.means import ConstantMean
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.models import ExactGP
from gpytorch.priors import NormalPrior
from scipy.optimize import minimize
from threadpoolctl import threadpool_limits
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from pipeline.workflows.kernel import LogInterval, OrderKernel, features, gamma_prior
from pipeline.workflows.orders import NUM_WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

NUM_STARTS: Final = 2
"""Points that the hyper-parameters are optimised from: the first is fixed, the rest depend on the seed."""
MAX_ITERATIONS: Final = 100
"""Of L-BFGS, from each point. It mostly converges within 50."""

_RESOLUTION: Final = 0.1
"""Points; rewards are multiples of it, so a smaller difference is never worth a standard deviation."""
_KNEE: Final = 3.0
"""Robust standard deviations below the median from which on the scale of rewards is logarithmic."""
_MIN_NOISE: Final = 1e-6
"""Of targets, as a variance; what gpytorch accepts without a warning."""
_TIE: Final = 1e-9
"""Scores that differ by less than this, relative to their size, are equal but for rounding."""


class NoCandidatesError(ValueError):
    """There is no workflow to choose from."""

    def __init__(self) -> None:
        super().__init__(f"none of the {NUM_WORKFLOWS} workflows is a candidate: the search is over, don't choose")


@dataclass(frozen=True, slots=True)
class Observation:
    """What one visit to a workflow was worth.

    Raises:
        ValueError: A value is out of its range.
    """

    workflow_id: int
    """0 to 119."""
    env_reward: float
    """Mean return of its episodes, in points; finite."""
    stderr: float
    """Standard error of that mean, in points; `>= 0`. 0 if unknown: the learned noise then stands in for it."""

    def __post_init__(self) -> None:
        if not 0 <= self.workflow_id < NUM_WORKFLOWS:
            raise ValueError(f"workflow {self.workflow_id} does not exist: ids run from 0 to {NUM_WORKFLOWS - 1}")
        if not math.isfinite(self.env_reward):
            raise ValueError(f"workflow {self.workflow_id}: an env reward of {self.env_reward} can't be observed")
        if not (math.isfinite(self.stderr) and self.stderr >= 0):
            raise ValueError(f"workflow {self.workflow_id}: {self.stderr} is no standard error")


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What the marginal likelihood made of the observations; standard deviations in points."""

    mean: float
    """The prior mean, in points."""
    mallows_std: float
    """Share of the orders' spread that the Mallows part explains."""
    mallows_decay: tuple[float, ...]
    """Ten, by `orders.PAIRS`: nats of correlation that a disagreement costs; near 0, the pair makes no difference."""
    position_std: tuple[float, ...]
    """Five: share of the spread that agreeing on each position explains."""
    extra_noise_std: float
    """By how much two trainings of one order differ, beyond the standard errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is believed of all orders, in points; of lone disasters, on a logarithmic scale (`_targets`)."""

    mean: npt.NDArray[np.float64]
    """`[120]` float64, read-only."""
    std: npt.NDArray[np.float64]
    """`[120]` float64, read-only: of an order's true value, noise not included."""
    hyperparameters: Hyperparameters


@dataclass(frozen=True, slots=True)
class Choice:
    """The workflow to train next."""

    workflow_id: int
    ucb_score: float
    """`mean + beta * std`, in points; NaN if there was no observation to go by."""


def pool(observations: Iterable[Observation]) -> list[Observation]:
    """Merge the observations of each workflow into one.

    Its reward is their plain mean. To weight by `1 / stderr**2` would favour lucky batches: where returns
    have a heavy lower tail, a batch without a disaster has both a high mean and a small error. Its error is
    the propagated one, or that of the visits' own spread if that is larger, as it is when the policy still
    changes from visit to visit.

    Returns:
        One observation per observed workflow, by ascending id, whatever the order of `observations`.
    """
    by_workflow = groupby(sorted(observations, key=_workflow_id), key=_workflow_id)
    return [_merged(workflow_id, list(visits)) for workflow_id, visits in by_workflow]


def fit(observations: Iterable[Observation], seed: int) -> Posterior:
    """Return what the observations say about all workflows.

    The noise of an observation is its squared standard error and a learned part that all have. The
    hyper-parameters maximise the marginal likelihood times their priors (L-BFGS, from `NUM_STARTS` points).
    An order that was observed often enters once, pooled, so that the cost is bounded by 120 observations.

    Args:
        observations: At least one.
        seed: Of the points to start from, `>= 0`.

    Raises:
        ValueError: There is no observation.
    """
    pooled = pool(observations)
    if not pooled:
        raise ValueError("nothing to fit: without an observation, choose with no posterior")
    with _one_thread():
        return _fit(pooled, np.random.default_rng(seed))


def choose(
    posterior: Posterior | None, candidates: npt.NDArray[np.bool_], beta: float, rng: np.random.Generator
) -> Choice:
    """Return the candidate with the highest upper confidence bound; if several have it, one of them by lot.

    Args:
        posterior: What is believed, or None if nothing was observed: then any candidate is as good as another.
        candidates: `[120]` bool, which workflows may be chosen.
        beta: Standard deviations to add to the mean, `>= 0`.
        rng: Draws lots; used exactly once.

    Raises:
        NoCandidatesError: No workflow may be chosen.
    """
    ids = np.flatnonzero(candidates)
    if len(ids) == 0:
        raise NoCandidatesError
    if posterior is None:
        return Choice(int(rng.choice(ids)), math.nan)
    scores = posterior.mean + beta * posterior.std  # [120]
    best = scores[ids].max()
    tied = ids[scores[ids] >= best - _TIE * max(1.0, abs(best))]
    chosen = int(rng.choice(tied))
    return Choice(chosen, float(scores[chosen]))


class _Targets(NamedTuple):
    values: npt.NDArray[np.float64]  # [n], near zero mean and unit variance
    noise: npt.NDArray[np.float64]  # [n], variances
    location: float  # points
    scale: float  # points per unit


class _OrderGP(ExactGP):  # type: ignore[misc]  # gpytorch ships no types
    """A constant plus a Gaussian process with `OrderKernel`."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, likelihood: FixedNoiseGaussianLikelihood) -> None:
        super().__init__(x, y, likelihood)
        zero, one = torch.tensor([0.0, 1.0], dtype=torch.float64)
        self.mean_module = ConstantMean(constant_prior=NormalPrior(zero, one))
        self.covar_module = OrderKernel()

    def forward(self, x: torch.Tensor) -> MultivariateNormal:
        return MultivariateNormal(self.mean_module(x), self.covar_module(x))


def _fit(pooled: Sequence[Observation], rng: np.random.Generator) -> Posterior:
    targets = _targets(
        np.array([observation.env_reward for observation in pooled]),
        np.array([observation.stderr for observation in pooled]),
    )
    likelihood = FixedNoiseGaussianLikelihood(
        noise=torch.from_numpy(targets.noise),
        learn_additional_noise=True,
        noise_prior=gamma_prior(1.1, 10.0),
        noise_constraint=LogInterval(1e-4, 10.0),
    )
    x = features([observation.workflow_id for observation in pooled])
    model = _OrderGP(x, torch.from_numpy(targets.values), likelihood).double()
    likelihood.second_noise = torch.tensor(0.05, dtype=torch.float64)
    _maximise(ExactMarginalLogLikelihood(likelihood, model), rng)

    model.eval()
    # Debug mode warns of predictions at the very training inputs, which is what they are once all are observed.
    with torch.no_grad(), gpytorch.settings.debug(False):
        prediction = model(features(range(NUM_WORKFLOWS)))
        mean = prediction.mean.numpy()
        # Not `prediction.variance`, which warns where rounding makes a variance less than nothing.
        variance = prediction.lazy_covariance_matrix.diagonal(dim1=-1, dim2=-2).clamp_min(0.0).numpy()
    kernel = model.covar_module
    return Posterior(
        mean=_read_only(targets.location + targets.scale * mean),
        std=_read_only(targets.scale * np.sqrt(variance)),
        hyperparameters=Hyperparameters(
            mean=targets.location + targets.scale * model.mean_module.constant.item(),
            mallows_std=targets.scale * math.sqrt(kernel.mallows.outputscale.item()),
            mallows_decay=tuple(kernel.mallows.base_kernel.decay.tolist()),
            position_std=tuple(targets.scale * math.sqrt(weight) for weight in kernel.position.weight.tolist()),
            extra_noise_std=targets.scale * math.sqrt(likelihood.second_noise.item()),
        ),
    )


def _maximise(mll: ExactMarginalLogLikelihood, rng: np.random.Generator) -> None:
    """Set the model's hyper-parameters to the best that L-BFGS finds."""
    model = mll.model
    (x,) = model.train_inputs
    named = list(model.named_parameters_and_constraints())
    parameters = [parameter for _, parameter, _ in named]
    free = (-math.inf, math.inf)
    bounds = [
        constraint.raw_bounds if constraint is not None else free
        for _, parameter, constraint in named
        for _ in range(parameter.numel())
    ]
    lower, upper = np.array(bounds).T

    def objective(raw: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        # A copy, because parameters become views of what they are set to, and the optimiser reuses its array.
        vector_to_parameters(torch.from_numpy(raw.copy()), parameters)
        loss = -mll(model(x), model.train_targets)
        gradients = torch.autograd.grad(loss, parameters)
        return loss.item(), torch.cat([gradient.reshape(-1) for gradient in gradients]).numpy()

    model.train()
    first = parameters_to_vector(parameters).detach().numpy().copy()
    starts = [first, *(first + rng.normal(size=(NUM_STARTS - 1, len(first))))]
    results = [
        minimize(
            objective,
            np.clip(start, lower, upper),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": MAX_ITERATIONS, "ftol": 1e-8},
        )
        for start in starts
    ]
    best = min(results, key=lambda result: float(result.fun))
    vector_to_parameters(torch.from_numpy(best.x.copy()), parameters)


def _targets(rewards: npt.NDArray[np.float64], stderrs: npt.NDArray[np.float64]) -> _Targets:
    """Bring rewards to a scale that the priors know, and keep disasters from setting that scale.

    Returns reach from -1300 to -12, and among trained policies one that fails would make all others look
    alike. So far below the median rewards go on logarithmically: they stay in order, and standard errors
    shrink with the slope. "Far" is `_KNEE` robust standard deviations (1.4826 times the median absolute
    deviation), and far enough to leave nine tenths of the orders alone: half of them may well be worse than
    the other half by rule, without a spread within either, and that is no accident but what there is to
    learn. Above, nothing is bent: that end is what the search looks for.
    """
    median = float(np.median(rewards))
    typical_stderr = float(np.median(stderrs))
    deviation = 1.4826 * float(np.median(np.abs(rewards - median)))
    reach = (median - float(np.quantile(rewards, 0.1, method="higher"))) / _KNEE
    spread = max(deviation, reach, typical_stderr, _RESOLUTION)
    depth = np.maximum((median - rewards) / spread - _KNEE, 0.0)  # [n], beyond the knee
    bent = np.where(depth > 0, median - spread * (_KNEE + np.log1p(depth)), rewards)
    bent_stderrs = stderrs / (1 + depth)
    location = float(bent.mean())
    scale = max(float(bent.std()), typical_stderr, _RESOLUTION)
    return _Targets(
        values=(bent - location) / scale,
        noise=np.maximum((bent_stderrs / scale) ** 2, _MIN_NOISE),
        location=location,
        scale=scale,
    )


def _merged(workflow_id: int, visits: Sequence[Observation]) -> Observation:
    num = len(visits)
    # `fsum` rounds once, so that the order of the visits makes no difference.
    mean = math.fsum(visit.env_reward for visit in visits) / num
    propagated = math.sqrt(math.fsum(visit.stderr**2 for visit in visits)) / num
    if num == 1:
        return Observation(workflow_id, mean, visits[0].stderr)
    spread = math.sqrt(math.fsum((visit.env_reward - mean) ** 2 for visit in visits) / (num - 1))
    return Observation(workflow_id, mean, max(propagated, spread / math.sqrt(num)))


def _workflow_id(observation: Observation) -> int:
    return observation.workflow_id


def _read_only(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    array.setflags(write=False)
    return array


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: sums then have one order, and matrices as small as these gain nothing by more."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # For SciPy's own BLAS, whose threads would spin over vectors of 18 numbers.
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(num_threads)
