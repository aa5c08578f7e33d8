"""What the observations say of all 120 orders: a mixture of exact Gaussian processes.

```
observations -pool-> one per order -standardise-> unit variance -weigh-> Evidence -fit-> Posterior -sample-> [num, 120]
```

Functions here are pure: equal arguments give equal results to the last bit, whatever the order of the observations
and the number of torch's threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from pipeline.workflows.evidence import MEAN_VARIANCE, Evidence, weigh
from pipeline.workflows.models import covariances
from pipeline.workflows.observations import pool
from pipeline.workflows.one_thread import one_thread
from pipeline.workflows.targets import standardise

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from pipeline.workflows.observations import Observation

_JITTER: Final = 1e-9
"""Variance added where a covariance may be singular but for rounding, in units of the targets."""


@dataclass(frozen=True, slots=True, eq=False)
class Posterior:
    """What is believed of all orders, in points; of lone disasters, on a logarithmic scale (`standardise`)."""

    mean: npt.NDArray[np.float64]
    """`[120]` float64, read-only."""
    std: npt.NDArray[np.float64]
    """`[120]` float64, read-only: of an order's true value, noise not included."""
    extra_noise_std: float
    """By how much two trainings of one order differ, beyond their standard errors; in points."""
    observed: tuple[int, ...]
    """Ids of the orders that it rests on, ascending."""
    evidence: Evidence
    location: float
    scale: float
    """Points that 0 stands for in `evidence`, and points per unit."""


def fit(observations: Iterable[Observation]) -> Posterior:
    """Return what the observations say about all workflows.

    The noise of an observation is its squared standard error and a part that all have and that is learned. Mean and
    standard deviation are those of the mixture of all models, weighted by what they explain (`evidence.weigh`). An
    order that was observed often enters once, pooled, so that the cost is bounded by 120 observations.

    Args:
        observations: At least one.

    Raises:
        ValueError: There is no observation.
    """
    pooled = pool(observations)
    if not pooled:
        raise ValueError("nothing to fit: without an observation, choose with no posterior")
    ids = [order.workflow_id for order in pooled]
    targets = standardise(pooled)
    with one_thread():
        evidence = weigh(ids, targets)
        means, gains = _components(evidence, ids)  # [K, 120], [K, n, 120]
        priors = covariances().diagonal(dim1=-2, dim2=-1)[evidence.model] + MEAN_VARIANCE  # [K, 120]
        variances = priors - gains.square().sum(-2)
        mean = evidence.weight @ means
        variance = evidence.weight @ (variances.clamp_min(0.0) + (means - mean).square())
        extra_noise = float(evidence.weight @ evidence.noise)
    return Posterior(
        mean=_read_only(targets.location + targets.scale * mean.numpy()),
        std=_read_only(targets.scale * variance.sqrt().numpy()),
        extra_noise_std=targets.scale * math.sqrt(extra_noise),
        observed=tuple(ids),
        evidence=evidence,
        location=targets.location,
        scale=targets.scale,
    )


def sample(posterior: Posterior, num: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw what the true values of all orders may be, jointly.

    Args:
        posterior: What is believed.
        num: How many times.
        rng: Chooses a model for each, and draws from it.

    Returns:
        `[num, 120]` float64, in points.
    """
    with one_thread():
        means, gains = _components(posterior.evidence, posterior.observed)
        covariance = covariances()[posterior.evidence.model] + MEAN_VARIANCE - gains.mT @ gains
        covariance.diagonal(dim1=-2, dim2=-1).add_(_JITTER)
        factors = torch.linalg.cholesky(covariance).numpy()  # [K, 120, 120]
        counts = rng.multinomial(num, posterior.evidence.weight.numpy())
        drawn = [
            mean + rng.standard_normal((count, len(mean))) @ factor.T
            for count, mean, factor in zip(counts, means.numpy(), factors, strict=True)
        ]
    return posterior.location + posterior.scale * np.concatenate(drawn)


def _components(evidence: Evidence, observed: Iterable[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each hypothesis' mean of all orders, and its whitened covariance of the observed and all orders."""
    across = covariances()[evidence.model[:, None], torch.tensor(list(observed))] + MEAN_VARIANCE  # [K, n, 120]
    gains = torch.linalg.solve_triangular(evidence.factor, across, upper=False)
    return (evidence.whitened[:, None] @ gains)[:, 0], gains


def _read_only(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    array.setflags(write=False)
    return array
