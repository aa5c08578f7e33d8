"""How well each model explains what was observed: exact marginal likelihoods, all models at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from pipeline.workflows.models import LOG_PRIORS, covariances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.workflows.targets import Targets

NOISES: Final = (0.0003, 0.003, 0.03, 0.3)
"""By how much two trainings of one order may differ beyond their standard errors: variances, in squared units."""
MEAN_VARIANCE: Final = 1.0
"""Of the prior of the mean over all orders, which is integrated out."""

_MIN_NOISE: Final = 1e-6
"""Of a pooled observation, as a variance: keeps every covariance well conditioned after thousands of visits."""
_NEGLIGIBLE: Final = 0.01
"""Hypotheses less probable than this share of the most probable one are left out of predictions."""


class Evidence(NamedTuple):
    """The hypotheses that the observations leave standing, `K` of them: a model with a noise each."""

    weight: torch.Tensor
    """`[K]` float64, sums to 1."""
    model: torch.Tensor
    """`[K]` int64, index among `models.MODELS`."""
    noise: torch.Tensor
    """`[K]` float64, one of `NOISES`."""
    factor: torch.Tensor
    """`[K, n, n]` float64, lower triangular: Cholesky factor of the observations' covariance."""
    whitened: torch.Tensor
    """`[K, n]` float64: `factor^-1 @ targets`."""


def weigh(workflow_ids: Sequence[int], targets: Targets) -> Evidence:
    """Return which models, with which noises, the observations leave standing.

    A hypothesis' weight is its prior times its marginal likelihood (Rasmussen and Williams, 2006, eq. 2.30). Visits to
    one order enter by their mean and their scatter, which for Gaussian noise is all that they say.

    Args:
        workflow_ids: `n` observed orders, each once.
        targets: What was observed of them, in the same order.
    """
    log_likelihood, factor, whitened = _explain(workflow_ids, targets)  # [N, M], [N, M, n, n], [N, M, n]
    log_weight = (log_likelihood + LOG_PRIORS).flatten()
    weight = torch.exp(log_weight - log_weight.max())
    (kept,) = torch.nonzero(weight > _NEGLIGIBLE, as_tuple=True)
    num_models = len(LOG_PRIORS)
    return Evidence(
        weight=weight[kept] / weight[kept].sum(),
        model=kept % num_models,
        noise=torch.tensor(NOISES, dtype=torch.float64)[kept // num_models],
        factor=factor.flatten(0, 1)[kept],
        whitened=whitened.flatten(0, 1)[kept],
    )


def log_likelihoods(workflow_ids: Sequence[int], targets: Targets) -> torch.Tensor:
    """Return the log marginal likelihood of each noise with each model: `[N, M]` float64, nats, but for a constant."""
    return _explain(workflow_ids, targets)[0]


def _explain(workflow_ids: Sequence[int], targets: Targets) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    ids = torch.tensor(workflow_ids)
    values, known, num_visits, scatter = (torch.from_numpy(array) for array in targets[:4])  # each [n]
    of_visit = known + torch.tensor(NOISES, dtype=torch.float64)[:, None]  # [N, n], variances
    of_mean = (of_visit / num_visits).clamp_min(_MIN_NOISE)

    covariance = covariances()[:, ids[:, None], ids] + MEAN_VARIANCE  # [M, n, n]
    observed = covariance.repeat(len(NOISES), 1, 1, 1)  # [N, M, n, n]
    observed.diagonal(dim1=-2, dim2=-1).add_(of_mean[:, None])
    factor = torch.linalg.cholesky(observed)
    whitened = torch.linalg.solve_triangular(factor, values[:, None].expand(*factor.shape[:-1], 1), upper=False)[..., 0]
    means = -0.5 * whitened.square().sum(-1) - factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)  # [N, M]
    visits = -0.5 * (scatter / of_visit + (num_visits - 1) * of_visit.log()).sum(-1)  # [N]
    return means + visits[:, None], factor, whitened
