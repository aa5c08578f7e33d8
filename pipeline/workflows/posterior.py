"""What the observations say of all 120 orders: a mixture of exact Gaussian processes.

```
observations -standardise-> unit variance -weigh-> Evidence -fit-> Posterior -sample-> [num, 120]
```

Functions here are pure: equal arguments give equal results to the last bit, whatever the order of the observations,
the processor and the number of threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.numerics.linear_algebra import cholesky, product, solve_lower
from pipeline.numerics.normal import normals
from pipeline.workflows.evidence import MEAN_VARIANCE, Evidence, weigh
from pipeline.workflows.models import covariances
from pipeline.workflows.observations import each_once
from pipeline.workflows.targets import standardise

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

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
    nugget_std: float
    """How far policies lie from what orders explain, beyond their standard errors; in points (`evidence.NUGGETS`)."""
    observed: tuple[int, ...]
    """Ids of the orders that it rests on, ascending."""
    best: int
    """Id of the observed order with the highest mean; the lowest of equals."""
    evidence: Evidence
    location: float
    scale: float
    """Points that 0 stands for in `evidence`, and points per unit."""


def fit(observations: Iterable[Observation]) -> Posterior:
    """Return what the observations say about all workflows.

    The noise of an observation is its squared standard error and a nugget that all have and that is weighed. Mean and
    standard deviation are those of the mixture of all models, weighted by what they explain (`evidence.weigh`).

    Args:
        observations: At least one, of different orders.

    Raises:
        ValueError: There is no observation, or there are two of one order.
    """
    observations = each_once(observations)
    if not observations:
        raise ValueError("nothing to fit: without an observation, choose with no posterior")
    ids = [observation.workflow_id for observation in observations]
    targets = standardise(observations)
    evidence = weigh(ids, targets)
    means, gains = _components(evidence, ids)  # [K, 120], [K, n, 120]
    mean, variance = _mixed(evidence, means, np.square(gains).sum(-2))
    nugget = float((evidence.weight * evidence.nugget).sum())
    return Posterior(
        mean=_read_only(targets.location + targets.scale * mean),
        std=_read_only(targets.scale * np.sqrt(variance)),
        nugget_std=targets.scale * math.sqrt(nugget),
        observed=tuple(ids),
        best=ids[int(mean[ids].argmax())],
        evidence=evidence,
        location=targets.location,
        scale=targets.scale,
    )


def expecting(posterior: Posterior, under_way: Collection[int]) -> Posterior:
    """Return what would be believed if some orders came to just what is expected of them: less uncertain, no different.

    GP-BUCB's hallucinated observations (Desautels et al., 2014, "Parallelizing Exploration-Exploitation Tradeoffs in
    Gaussian Process Bandit Optimization"). Each model expects what its own mean is, so none gains by it.

    Args:
        posterior: What is believed.
        under_way: The orders' ids, at least one.
    """
    evidence, ids = posterior.evidence, sorted(under_way)
    means, gains = _components(evidence, posterior.observed)  # [K, 120], [K, n, 120]
    across = covariances()[evidence.model[:, None], np.array(ids)] + MEAN_VARIANCE  # [K, u, 120]
    across = across - product(gains[:, :, ids].swapaxes(-2, -1), gains)
    among = across[:, :, ids]
    each = np.arange(len(ids))
    among[:, each, each] += evidence.nugget[:, None]
    known = np.square(gains).sum(-2) + np.square(solve_lower(cholesky(among), across)).sum(-2)
    _, variance = _mixed(evidence, means, known)
    return replace(posterior, std=_read_only(posterior.scale * np.sqrt(variance)))


def sample(posterior: Posterior, num: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw what the true values of all orders may be, jointly.

    Args:
        posterior: What is believed.
        num: How many times.
        rng: Chooses a model for each, and draws from it.

    Returns:
        `[num, 120]` float64, in points.
    """
    evidence, num_orders = posterior.evidence, len(posterior.mean)
    means, gains = _components(evidence, posterior.observed)
    covariance = covariances()[evidence.model] + MEAN_VARIANCE - product(gains.swapaxes(-2, -1), gains)
    each = np.arange(num_orders)
    covariance[:, each, each] += _JITTER
    factors = cholesky(covariance)  # [K, 120, 120]
    bounds = np.cumsum(evidence.weight)[:-1]  # shares of [0, 1)
    component = np.searchsorted(bounds, rng.random(num), side="right")  # [num]
    values = normals(rng, num, num_orders)
    for k in np.unique(component):
        drawn = component == k
        values[drawn] = means[k] + product(values[drawn], factors[k].T)
    return posterior.location + posterior.scale * values


def _components(evidence: Evidence, observed: Sequence[int]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each hypothesis' mean of all orders, and its whitened covariance of the observed and all orders."""
    across = covariances()[evidence.model[:, None], np.array(observed)] + MEAN_VARIANCE  # [K, n, 120]
    gains = solve_lower(evidence.factor, across)
    return (evidence.whitened[..., None] * gains).sum(-2), gains


def _mixed(
    evidence: Evidence, means: npt.NDArray[np.float64], explained: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean and variance of the mixture, `[120]` each.

    Args:
        evidence: `K` hypotheses.
        means: `[K, 120]`, what each expects.
        explained: `[K, 120]`, variance that it no longer has.
    """
    priors = covariances().diagonal(axis1=-2, axis2=-1)[evidence.model] + MEAN_VARIANCE  # [K, 120]
    variances = np.maximum(priors - explained, 0.0)
    weight = evidence.weight[:, None]
    mean = (weight * means).sum(0)
    return mean, (weight * (variances + np.square(means - mean))).sum(0)


def _read_only(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    array.setflags(write=False)
    return array
