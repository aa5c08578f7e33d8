"""How well each model explains what was observed: exact marginal likelihoods, all models at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from pipeline.numerics.elementary64 import each_exp, each_log
from pipeline.numerics.linear_algebra import cholesky, solve_lower
from pipeline.workflows.models import PRIORS, covariances

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pipeline.workflows.targets import Targets

NUGGETS: Final = (0.0003, 0.003, 0.03, 0.3)
"""The nugget: how far an order's policy may lie from what orders explain, beyond its standard error; variances, in
squared units. All are equally probable before anything is observed. It stands for how a training turned out, too: a run
trains each order once, so it can't tell this from what is the order's own."""
MEAN_VARIANCE: Final = 1.0
"""Of the prior of the mean over all orders, which is integrated out."""

_MIN_NOISE: Final = 1e-6
"""Of an observation, as a variance: keeps every covariance well conditioned."""
_NEGLIGIBLE: Final = 0.01
"""Hypotheses less probable than this share of the most probable one are left out of predictions."""


class Evidence(NamedTuple):
    """The hypotheses that the observations leave standing, `K` of them: a model with a nugget each."""

    weight: npt.NDArray[np.float64]
    """`[K]` float64, sums to 1."""
    model: npt.NDArray[np.int64]
    """`[K]` int64, index among `models.MODELS`."""
    nugget: npt.NDArray[np.float64]
    """`[K]` float64, one of `NUGGETS`."""
    factor: npt.NDArray[np.float64]
    """`[K, n, n]` float64, lower triangular: Cholesky factor of the observations' covariance."""
    whitened: npt.NDArray[np.float64]
    """`[K, n]` float64: `factor^-1 @ targets`."""


def weigh(workflow_ids: Sequence[int], targets: Targets) -> Evidence:
    """Return which models, with which nuggets, the observations leave standing.

    A hypothesis' weight is its prior times its marginal likelihood (Rasmussen and Williams, 2006, eq. 2.30).

    Args:
        workflow_ids: `n` observed orders, each once.
        targets: What was observed of them, in the same order.
    """
    log_likelihood, factor, whitened = _explain(workflow_ids, targets)  # [N, M], [N, M, n, n], [N, M, n]
    log_weight = (log_likelihood + each_log(PRIORS)).ravel()
    weight = each_exp(log_weight - log_weight.max())
    kept = np.flatnonzero(weight > _NEGLIGIBLE)
    nugget, model = np.unravel_index(kept, log_likelihood.shape)
    return Evidence(
        weight=weight[kept] / weight[kept].sum(),
        model=model,
        nugget=np.array(NUGGETS)[nugget],
        factor=factor[nugget, model],
        whitened=whitened[nugget, model],
    )


def log_likelihoods(workflow_ids: Sequence[int], targets: Targets) -> npt.NDArray[np.float64]:
    """Return the log marginal likelihood of each nugget with each model: `[N, M]` float64, nats, but for a constant."""
    return _explain(workflow_ids, targets)[0]


def _explain(
    workflow_ids: Sequence[int], targets: Targets
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    noise = np.maximum(targets.noise + np.array(NUGGETS)[:, None], _MIN_NOISE)  # [N, n], variances
    ids, each = np.array(workflow_ids), np.arange(len(workflow_ids))
    covariance = covariances()[:, ids[:, None], ids] + MEAN_VARIANCE  # [M, n, n]
    observed = np.stack([covariance] * len(NUGGETS))  # [N, M, n, n]
    observed[..., each, each] += noise[:, None]
    factor = cholesky(observed)
    whitened = solve_lower(factor, np.broadcast_to(targets.values[:, None], (*factor.shape[:-1], 1)))[..., 0]
    log_likelihood = -0.5 * np.square(whitened).sum(-1) - each_log(factor[..., each, each]).sum(-1)  # [N, M]
    return log_likelihood, factor, whitened
