"""Compared with torch, whose sums are MKL's: equal but for rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.numerics.linear_algebra import cholesky, orthonormal, product, solve_lower

SHAPES = [(1,), (5,), (3, 7), (2, 3, 40), (120,)]
"""Of stacks of square matrices, the last number their rows."""


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def covariances(*shape: int) -> np.ndarray:
    root = random(*shape, shape[-1])
    return root @ root.swapaxes(-2, -1) + np.eye(shape[-1])


@pytest.mark.parametrize("shape", SHAPES)
def test_factors_are_torchs(shape: tuple[int, ...]) -> None:
    matrices = covariances(*shape)
    before = matrices.copy()
    factors = cholesky(matrices)
    np.testing.assert_allclose(factors, torch.linalg.cholesky(torch.from_numpy(matrices)), rtol=1e-12, atol=1e-13)
    assert np.array_equal(matrices, before)


def test_what_is_above_the_diagonal_is_not_read() -> None:
    matrices = covariances(2, 6)
    assert np.array_equal(cholesky(np.tril(matrices)), cholesky(matrices))
    factors, values = cholesky(matrices), random(2, 6, 3)
    assert np.array_equal(solve_lower(factors + np.triu(np.ones((6, 6)), 1), values), solve_lower(factors, values))


@pytest.mark.parametrize("bad", [-1.0, 0.0, np.nan])
def test_a_matrix_that_is_not_positive_definite_is_refused(bad: float) -> None:
    matrices = covariances(3, 5)
    matrices[1, 4, 4] = bad
    with pytest.raises(ValueError, match="positive definite"):
        cholesky(matrices)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("columns", [1, 9])
def test_solutions_are_torchs(shape: tuple[int, ...], columns: int) -> None:
    factors, values = cholesky(covariances(*shape)), random(*shape, columns)
    expected = torch.linalg.solve_triangular(torch.from_numpy(factors), torch.from_numpy(values), upper=False)
    np.testing.assert_allclose(solve_lower(factors, values), expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(("left", "right"), [((2, 3), (3, 4)), ((1, 1), (1, 1)), ((4, 5, 6, 7), (4, 5, 7, 2))])
def test_products_are_torchs(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = random(*left), random(*right, seed=1)
    np.testing.assert_allclose(product(a, b), torch.from_numpy(a) @ torch.from_numpy(b), rtol=1e-12, atol=1e-14)


def test_how_matrices_lie_in_memory_makes_no_difference() -> None:
    matrices = covariances(4, 3, 6)
    turned = np.asfortranarray(matrices)
    factors = cholesky(matrices)
    assert np.array_equal(cholesky(turned), factors)
    assert np.array_equal(cholesky(matrices[::2]), factors[::2])
    assert np.array_equal(solve_lower(np.asfortranarray(factors), turned), solve_lower(factors, matrices))
    assert np.array_equal(product(turned, turned), product(matrices, matrices))
    read_only = np.broadcast_to(matrices[:1], matrices.shape)
    assert np.array_equal(product(read_only, matrices), product(read_only.copy(), matrices))


@given(st.integers(1, 12), st.integers(0, 5), st.integers(0, 1000))
def test_orthonormal_rows_are_those_of_a_qr_decomposition(num: int, more: int, seed: int) -> None:
    vectors = random(num, num + more, seed=seed)
    rows = orthonormal(vectors)
    np.testing.assert_allclose(product(rows, rows.T), np.eye(num), atol=1e-14)
    q, r = np.linalg.qr(vectors.T)
    np.testing.assert_allclose(rows, (q * np.sign(np.diag(r))).T, atol=1e-9)


def test_rows_that_are_nearly_alike_become_orthonormal_all_the_same() -> None:
    vectors = np.ones((6, 8)) + 1e-9 * random(6, 8)
    rows = orthonormal(vectors)
    np.testing.assert_allclose(product(rows, rows.T), np.eye(6), atol=1e-14)


@pytest.mark.parametrize(
    ("call", "shapes"),
    [
        (cholesky, [(2, 3)]),
        (solve_lower, [(3, 3), (4, 2)]),
        (solve_lower, [(2, 3, 3), (3, 3, 1)]),
        (product, [(3, 4), (3, 4)]),
        (product, [(2, 3, 3), (3, 3)]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call: object, shapes: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"square|fit|multiplied"):
        call(*(np.ones(shape) for shape in shapes))  # type: ignore[operator]
