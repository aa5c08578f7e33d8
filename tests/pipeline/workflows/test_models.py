from __future__ import annotations

import numpy as np
import pytest

from pipeline.cage2.facts.order_names import NUM_PAIRS, NUM_WORKFLOWS, PAIRS
from pipeline.cage2.facts.orders import KENDALL, ORDERS, PRECEDENCES
from pipeline.workflows.models import MODELS, PRIORS, covariances


def table(**fields: object) -> np.ndarray:
    """The covariance of the one model that has these fields."""
    (found,) = [i for i, model in enumerate(MODELS) if all(getattr(model, k) == v for k, v in fields.items())]
    return covariances()[found]


def test_priors_sum_to_one() -> None:
    assert sum(model.prior for model in MODELS) == pytest.approx(1, abs=1e-12)
    assert min(model.prior for model in MODELS) > 0
    assert PRIORS.tolist() == [model.prior for model in MODELS]


def test_models_differ() -> None:
    assert len({model._replace(prior=0.0) for model in MODELS}) == len(MODELS)


def test_covariances_are_symmetric_and_of_at_most_unit_variance() -> None:
    found = covariances()
    assert found.shape == (len(MODELS), NUM_WORKFLOWS, NUM_WORKFLOWS)
    assert found.dtype == np.float64
    assert not found.flags.writeable
    assert np.array_equal(found, found.swapaxes(1, 2))
    variances = np.array([model.share + sum(model.weight) + model.rest for model in MODELS])
    diagonals = found.diagonal(axis1=1, axis2=2)
    np.testing.assert_allclose(diagonals, np.broadcast_to(variances[:, None], diagonals.shape), rtol=1e-13)
    assert variances.max() == pytest.approx(1)
    assert covariances() is found


def test_every_set_of_two_or_more_types_may_be_all_that_matters() -> None:
    matter = {
        frozenset(host_type for pair, decay in zip(PAIRS, model.decay, strict=True) if decay for host_type in pair)
        for model in MODELS
        if model.share
    }
    assert len(matter) == 10 + 10 + 5 + 1


def test_one_pair_leaves_two_values_and_the_rest_is_smooth() -> None:
    only = PAIRS.index((1, 4))
    decay = tuple(float(pair == only) for pair in range(NUM_PAIRS))
    same = PRECEDENCES[:, None, only] == PRECEDENCES[None, :, only]
    pure = np.where(same, 1.0, np.exp(-1.0))
    np.testing.assert_allclose(table(decay=decay, rest=0.0), pure, rtol=1e-12)
    np.testing.assert_allclose(table(decay=decay, rest=0.1), 0.9 * pure + 0.1 * np.exp(-2 * KENDALL), rtol=1e-12)


def test_the_first_place_alone_leaves_five_values() -> None:
    same = ORDERS[:, None, 0] == ORDERS[None, :, 0]
    np.testing.assert_allclose(table(weight=(1.0, 0.0, 0.0, 0.0, 0.0)), same, rtol=1e-12)


def test_an_order_alone_says_nothing_about_another() -> None:
    np.testing.assert_allclose(table(decay=(50.0,) * NUM_PAIRS), np.eye(NUM_WORKFLOWS), atol=1e-21)
