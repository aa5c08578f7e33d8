from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.workflows.kernel import (
    NUM_FEATURES,
    LogInterval,
    MallowsKernel,
    OrderKernel,
    PositionKernel,
    features,
)
from pipeline.workflows.orders import (
    KENDALL,
    NUM_HOST_TYPES,
    NUM_PAIRS,
    NUM_WORKFLOWS,
    ONE_HOTS,
    ORDERS,
    PAIRS,
    POSITIONS,
    PRECEDENCES,
)

EVERY = range(NUM_WORKFLOWS)


def vectors(lower: float, upper: float, size: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(math.log(lower), math.log(upper)).map(math.exp), min_size=size, max_size=size)


def precedences() -> torch.Tensor:
    return torch.from_numpy(PRECEDENCES.astype(np.float64))


def one_hots() -> torch.Tensor:
    return torch.from_numpy(ONE_HOTS.astype(np.float64))


def mallows(decay: list[float]) -> MallowsKernel:
    kernel = MallowsKernel()
    kernel.initialize(raw_decay=torch.tensor(decay, dtype=torch.float64).log())
    return kernel


def position(weight: list[float]) -> PositionKernel:
    kernel = PositionKernel()
    kernel.initialize(raw_weight=torch.tensor(weight, dtype=torch.float64).log())
    return kernel


def matrix(kernel: torch.nn.Module, x: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return kernel(x).to_dense().numpy()


def test_features_are_precedences_then_the_one_hot_order() -> None:
    encoded = features([7, 119, 7])
    assert encoded.shape == (3, NUM_FEATURES) == (3, 35)
    assert encoded.dtype == torch.float64
    for row, workflow_id in zip(encoded.numpy(), [7, 119, 7], strict=True):
        assert np.array_equal(row, np.concatenate([PRECEDENCES[workflow_id], ONE_HOTS[workflow_id]]))


def test_with_one_decay_for_all_pairs_mallows_is_a_function_of_kendalls_distance() -> None:
    decay = 0.3
    np.testing.assert_allclose(
        matrix(mallows([decay] * NUM_PAIRS), precedences()), np.exp(-decay * NUM_PAIRS * KENDALL), rtol=1e-13
    )


def test_mallows_sums_the_decays_of_the_pairs_that_two_orders_disagree_about() -> None:
    decay = np.linspace(0.05, 1.0, NUM_PAIRS).tolist()
    values = matrix(mallows(decay), precedences())
    for first, second in [(0, 0), (0, 1), (3, 77), (119, 0), (50, 51)]:
        disagreement = sum(
            decay[pair]
            for pair, (i, j) in enumerate(PAIRS)
            if (POSITIONS[first, i] < POSITIONS[first, j]) != (POSITIONS[second, i] < POSITIONS[second, j])
        )
        assert values[first, second] == pytest.approx(math.exp(-disagreement), rel=1e-13)


def test_a_pair_without_decay_makes_no_difference() -> None:
    decay = [0.5] * NUM_PAIRS
    decay[0] = 1e-4
    values = matrix(mallows(decay), precedences())
    # Workflows 0 and 24 differ in nothing but who of types 0 and 1 comes first.
    assert np.flatnonzero(PRECEDENCES[0] != PRECEDENCES[24]).tolist() == [0]
    assert values[0, 24] == pytest.approx(1, abs=2e-4)
    np.testing.assert_allclose(values[0], values[24], rtol=2e-4)


def test_position_sums_the_weights_of_the_positions_that_two_orders_share() -> None:
    weight = [1.0, 0.5, 0.25, 0.125, 0.0625]  # sums of these are exact
    expected = ((ORDERS[:, None, :] == ORDERS[None, :, :]) * np.array(weight)).sum(axis=2)
    np.testing.assert_allclose(matrix(position(weight), one_hots()), expected, rtol=1e-13)


@settings(max_examples=15, deadline=None)
@given(vectors(1.1e-4, 9.9, NUM_PAIRS), vectors(1.1e-4, 99, NUM_HOST_TYPES), st.floats(1.1e-3, 99))
def test_the_sum_is_positive_semidefinite_wherever_the_optimiser_may_go(
    decay: list[float], weight: list[float], scale: float
) -> None:
    kernel = OrderKernel()
    kernel.mallows.outputscale = torch.tensor(scale, dtype=torch.float64)
    kernel.mallows.base_kernel.initialize(raw_decay=torch.tensor(decay, dtype=torch.float64).log())
    kernel.position.initialize(raw_weight=torch.tensor(weight, dtype=torch.float64).log())
    values = matrix(kernel, features(EVERY))
    expected = scale * matrix(mallows(decay), precedences()) + matrix(position(weight), one_hots())
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(values, values.T, rtol=1e-12)
    assert np.linalg.eigvalsh(values).min() > -1e-11 * values.trace()


def test_diagonals_agree_with_the_matrix_between_any_inputs() -> None:
    left, right = features(range(30)), features(range(60, 90))
    kernel = OrderKernel()
    with torch.no_grad():
        across = kernel(left, right).to_dense()
        assert across.shape == (30, 30)
        torch.testing.assert_close(kernel(left, right, diag=True), across.diagonal(), rtol=1e-13, atol=0)
        torch.testing.assert_close(kernel(right, left).to_dense(), across.mT, rtol=1e-13, atol=0)


def test_everything_is_float64() -> None:
    kernel = OrderKernel()
    tensors = [*kernel.parameters(), *kernel.buffers()]
    assert {tensor.dtype for tensor in tensors if tensor.is_floating_point()} == {torch.float64}
    assert matrix(kernel, features(EVERY)).dtype == np.float64


def test_gradients_are_those_of_finite_differences() -> None:
    kernel = OrderKernel()
    x = features([0, 1, 24, 60, 119])
    names = [name for name, _ in kernel.named_parameters()]

    def evaluate(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(kernel, dict(zip(names, values, strict=True)), (x,)).to_dense()

    assert len(names) == 3
    assert torch.autograd.gradcheck(evaluate, tuple(kernel.parameters()))


def test_every_hyperparameter_starts_within_its_bounds_and_has_a_prior() -> None:
    kernel = OrderKernel()
    for _, parameter, constraint in kernel.named_parameters_and_constraints():
        lower, upper = constraint.raw_bounds
        assert lower < parameter.min() <= parameter.max() < upper
    assert len(list(kernel.named_priors())) == 3


def test_a_log_interval_is_optimised_as_a_logarithm() -> None:
    interval = LogInterval(0.5, 4.0)
    values = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    assert interval.raw_bounds == pytest.approx((math.log(0.5), math.log(4.0)), rel=1e-6)
    torch.testing.assert_close(interval.inverse_transform(values), values.log())
    torch.testing.assert_close(interval.transform(interval.inverse_transform(values)), values)
