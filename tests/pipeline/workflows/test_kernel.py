from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cage2.facts.order_names import NUM_HOST_TYPES, NUM_PAIRS, NUM_WORKFLOWS, PAIRS
from pipeline.cage2.facts.orders import KENDALL, ONE_HOTS, ORDERS, POSITIONS, PRECEDENCES
from pipeline.workflows.kernel import NUM_FEATURES, MallowsKernel, OrderKernel, PositionKernel, features

EVERY = range(NUM_WORKFLOWS)


def tensor(values: object) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def values_of(size: int, largest: float) -> st.SearchStrategy[list[float]]:
    return st.lists(st.one_of(st.just(0.0), st.floats(0, largest)), min_size=size, max_size=size)


def precedences() -> torch.Tensor:
    return torch.from_numpy(PRECEDENCES.astype(np.float64))


def one_hots() -> torch.Tensor:
    return torch.from_numpy(ONE_HOTS.astype(np.float64))


def sums(shares: list[float], decays: list[list[float]], weights: list[list[float]], rests: list[float]) -> OrderKernel:
    return OrderKernel(
        share=tensor(shares), decay=tensor(decays), weight=tensor(weights), rest=tensor(rests), rest_decay=0.3
    )


def matrices(kernel: torch.nn.Module, x: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return kernel(x).to_dense().numpy()


def test_features_are_precedences_then_the_one_hot_order() -> None:
    encoded = features([7, 119, 7])
    assert encoded.shape == (3, NUM_FEATURES) == (3, 35)
    assert encoded.dtype == torch.float64
    for row, workflow_id in zip(encoded.numpy(), [7, 119, 7], strict=True):
        assert np.array_equal(row, np.concatenate([PRECEDENCES[workflow_id], ONE_HOTS[workflow_id]]))


def test_with_one_decay_for_all_pairs_mallows_is_a_function_of_kendalls_distance() -> None:
    decays = [0.3, 2.0]
    values = matrices(MallowsKernel(tensor([[decay] * NUM_PAIRS for decay in decays])), precedences())
    assert values.shape == (2, NUM_WORKFLOWS, NUM_WORKFLOWS)
    for decay, matrix in zip(decays, values, strict=True):
        np.testing.assert_allclose(matrix, np.exp(-decay * NUM_PAIRS * KENDALL), rtol=1e-13)


def test_mallows_sums_the_decays_of_the_pairs_that_two_orders_disagree_about() -> None:
    decay = np.linspace(0.05, 1.0, NUM_PAIRS).tolist()
    (values,) = matrices(MallowsKernel(tensor([decay])), precedences())
    for first, second in [(0, 0), (0, 1), (3, 77), (119, 0), (50, 51)]:
        disagreement = sum(
            decay[pair]
            for pair, (i, j) in enumerate(PAIRS)
            if (POSITIONS[first, i] < POSITIONS[first, j]) != (POSITIONS[second, i] < POSITIONS[second, j])
        )
        assert values[first, second] == pytest.approx(math.exp(-disagreement), rel=1e-13)


def test_a_type_without_decay_makes_no_difference() -> None:
    decay = [0.5 * (0 not in pair) for pair in PAIRS]
    (values,) = matrices(MallowsKernel(tensor([decay])), precedences())
    rest = [tuple(host_type for host_type in order if host_type != 0) for order in ORDERS.tolist()]
    same = np.array([[one == other for other in rest] for one in rest])
    assert same.sum() == 24 * 5 * 5
    assert (values[same] == 1).all()
    assert (values[~same] < 0.7).all()


def test_position_sums_the_weights_of_the_positions_that_two_orders_share() -> None:
    weight = [1.0, 0.5, 0.25, 0.125, 0.0]
    expected = ((ORDERS[:, None, :] == ORDERS[None, :, :]) * np.array(weight)).sum(axis=2)
    (values,) = matrices(PositionKernel(tensor([weight])), one_hots())
    np.testing.assert_array_equal(values, expected)  # sums of such weights are exact


@settings(max_examples=15, deadline=None)
@given(values_of(NUM_PAIRS, 9), values_of(NUM_HOST_TYPES, 9), st.floats(0, 9), st.floats(0, 9))
def test_the_sum_is_one_and_positive_semidefinite(
    decay: list[float], weight: list[float], share: float, rest: float
) -> None:
    (values,) = matrices(sums([share], [decay], [weight], [rest]), features(EVERY))
    expected = (
        share * matrices(MallowsKernel(tensor([decay])), precedences())[0]
        + matrices(PositionKernel(tensor([weight])), one_hots())[0]
        + rest * np.exp(-0.3 * NUM_PAIRS * KENDALL)
    )
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    np.testing.assert_allclose(values, values.T, rtol=1e-12)
    assert np.linalg.eigvalsh(values).min() >= -1e-11 * max(values.trace(), 1)


def test_diagonals_agree_with_the_matrix_between_any_inputs() -> None:
    rng = np.random.default_rng(0)
    kernel = sums([0.9, 0.0], rng.random((2, 10)).tolist(), rng.random((2, 5)).tolist(), [0.1, 0.2])
    left, right = features(range(30)), features(range(60, 90))
    with torch.no_grad():
        across = kernel(left, right).to_dense()
        assert across.shape == (2, 30, 30)
        torch.testing.assert_close(kernel(left, right, diag=True), across.diagonal(dim1=1, dim2=2), rtol=1e-13, atol=0)
        torch.testing.assert_close(kernel(right, left).to_dense(), across.mT, rtol=1e-13, atol=0)


def test_everything_is_float64_and_nothing_is_learned() -> None:
    kernel = sums([1.0], [[0.1] * 10], [[0.1] * 5], [0.1])
    assert {buffer.dtype for buffer in kernel.buffers() if buffer.is_floating_point()} == {torch.float64}
    assert not list(kernel.parameters())
    assert matrices(kernel, features(EVERY)).dtype == np.float64
