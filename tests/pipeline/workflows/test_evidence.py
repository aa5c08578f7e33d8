from __future__ import annotations

import math

import gpytorch
import numpy as np
import pytest
import torch
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood
from linear_operator import to_linear_operator

from pipeline.cage2.facts.order_names import PAIRS
from pipeline.cage2.facts.orders import PRECEDENCES
from pipeline.workflows.evidence import MEAN_VARIANCE, NUGGETS, log_likelihoods, weigh
from pipeline.workflows.kernel import OrderKernel, features
from pipeline.workflows.models import MODELS, covariances
from pipeline.workflows.observations import Observation
from pipeline.workflows.targets import Targets, standardise


def observed(num: int, seed: int = 0) -> tuple[list[int], Targets]:
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.permutation(120)[:num]).tolist()
    rewards = -40 + 20.0 * PRECEDENCES[ids, PAIRS.index((1, 4))] + rng.normal(0, 1, num)
    return ids, standardise([Observation(*each) for each in zip(ids, rewards, rng.uniform(0, 2, num), strict=True)])


class ExactGp(gpytorch.models.ExactGP):  # type: ignore[misc]  # gpytorch ships no types
    """One model as gpytorch has it."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, likelihood: FixedNoiseGaussianLikelihood, model: int) -> None:
        super().__init__(x, y, likelihood)
        share, decay, weight, rest = (torch.tensor([field], dtype=torch.float64) for field in MODELS[model][1:])
        self.kernel = OrderKernel(share=share, decay=decay, weight=weight, rest=rest, rest_decay=0.2)

    def forward(self, x: torch.Tensor) -> gpytorch.distributions.MultivariateNormal:
        covariance = self.kernel(x).to_dense()[0] + MEAN_VARIANCE
        zeros = torch.zeros(len(x), dtype=torch.float64)
        # as an operator, for as a tensor it would have to be of full rank, which it need not be without noise
        return gpytorch.distributions.MultivariateNormal(zeros, to_linear_operator(covariance))


@pytest.mark.parametrize("model", [0, 1, 57, 118, len(MODELS) - 3, len(MODELS) - 1])
def test_it_is_the_marginal_likelihood_of_gpytorchs_exact_gp(model: int) -> None:
    ids, targets = observed(25)
    found = log_likelihoods(ids, targets)
    assert found.shape == (len(NUGGETS), len(MODELS))
    x, y = features(ids), torch.from_numpy(targets.values)
    for level, nugget in enumerate(NUGGETS):
        likelihood = FixedNoiseGaussianLikelihood(torch.from_numpy(targets.noise) + nugget)
        gp = ExactGp(x, y, likelihood, model)
        expected = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, gp)(gp(x), y) * len(ids)
        constant = -0.5 * len(ids) * math.log(2 * math.pi)
        assert found[level, model].item() + constant == pytest.approx(expected.item(), rel=1e-10)


def test_the_model_that_is_true_is_found() -> None:
    evidence = weigh(*observed(40))
    assert evidence.weight.sum().item() == pytest.approx(1)
    only = tuple(float(pair == (1, 4)) for pair in PAIRS)
    weight = sum(
        w for w, m in zip(evidence.weight.tolist(), evidence.model.tolist(), strict=True) if MODELS[m].decay == only
    )
    assert weight > 0.95


def test_what_is_left_is_consistent() -> None:
    ids, targets = observed(12)
    evidence = weigh(ids, targets)
    num = len(evidence.weight)
    assert evidence.factor.shape == (num, 12, 12)
    assert evidence.whitened.shape == (num, 12)
    assert evidence.weight.min() > 0.01 * evidence.weight.max()
    for k in range(num):
        covariance = covariances()[evidence.model[k]][np.ix_(ids, ids)] + MEAN_VARIANCE
        covariance += np.diag(targets.noise + evidence.nugget[k])
        factor = evidence.factor[k]
        np.testing.assert_allclose(factor @ factor.T, covariance, rtol=1e-12)
        np.testing.assert_allclose(factor @ evidence.whitened[k], targets.values, atol=1e-12)
