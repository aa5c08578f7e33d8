"""Products, factors, solves and orthonormal rows of small float64 matrices, every sum in the order that is written.

A BLAS chooses its code by the processor, and with it the order of its sums. These are the textbook's loops, compiled:
for the hundred rows that a search needs they take about as long.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.numerics.compiled import compiled, kernel

if TYPE_CHECKING:
    import numpy.typing as npt


def cholesky(matrices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return lower triangular factors `L` with `L @ L.T` the matrices.

    Args:
        matrices: `[..., n, n]`, symmetric; what is above the diagonal isn't read.

    Returns:
        `[..., n, n]`, 0 above the diagonal.

    Raises:
        ValueError: A matrix is not square, or not positive definite.
    """
    if matrices.shape[-2] != matrices.shape[-1]:
        raise ValueError(f"a Cholesky factor is of a square matrix, not {matrices.shape}")
    factors = _stack(np.tril(matrices))
    if not _factorise(factors):
        raise ValueError(f"of these matrices, {matrices.shape}, not all are positive definite")
    return factors.reshape(matrices.shape)


def solve_lower(factors: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `L^-1 @ values`.

    Args:
        factors: `[..., n, n]`, lower triangular; what is above the diagonal isn't read.
        values: `[..., n, m]`.

    Returns:
        `[..., n, m]`.

    Raises:
        ValueError: The shapes don't fit.
    """
    if factors.shape != (*values.shape[:-1], values.shape[-2]):
        raise ValueError(f"factors {factors.shape} don't fit values {values.shape}")
    solved = _stack(values.copy())
    _solve(_stack(factors), solved)
    return solved.reshape(values.shape)


def product(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return `left @ right`: `[..., n, k]` by `[..., k, m]` gives `[..., n, m]`.

    Raises:
        ValueError: The shapes don't fit.
    """
    if left.shape[:-2] != right.shape[:-2] or left.shape[-1] != right.shape[-2]:
        raise ValueError(f"{left.shape} and {right.shape} can't be multiplied")
    products = np.zeros((*left.shape[:-1], right.shape[-1]))
    _add_products(_stack(left), _stack(right), _stack(products))
    return products


def orthonormal(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the rows made orthonormal, each by subtracting what the ones before it have of it (Gram-Schmidt).

    Where the rows are normal numbers, all orthonormal ones are equally likely.

    Args:
        vectors: `[n, m]`, linearly independent, so `n <= m`.

    Returns:
        `[n, m]`.
    """
    rows = vectors.copy(order="C")
    _orthonormalise(rows)
    return rows


def _stack(matrices: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.ascontiguousarray(matrices).reshape(-1, *matrices.shape[-2:])


@kernel
def _factorise(stack: npt.NDArray[np.float64]) -> bool:
    for matrix in range(len(stack)):
        factor = stack[matrix]
        for i in range(len(factor)):
            for j in range(i + 1):
                rest = factor[i, j]
                for k in range(j):
                    rest -= factor[i, k] * factor[j, k]
                if j < i:
                    factor[i, j] = rest / factor[j, j]
                elif rest > 0.0:
                    factor[i, i] = math.sqrt(rest)
                else:  # or not a number
                    return False
    return True


@kernel
def _solve(factors: npt.NDArray[np.float64], stack: npt.NDArray[np.float64]) -> None:
    for matrix in range(len(stack)):
        factor, values = factors[matrix], stack[matrix]
        for i in range(len(values)):
            for k in range(i):
                weight = factor[i, k]
                for j in range(values.shape[1]):
                    values[i, j] -= weight * values[k, j]
            for j in range(values.shape[1]):
                values[i, j] /= factor[i, i]


@kernel
def _add_products(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], sums: npt.NDArray[np.float64]) -> None:
    for matrix in range(len(sums)):
        for i in range(left.shape[1]):
            for k in range(left.shape[2]):
                weight = left[matrix, i, k]
                for j in range(right.shape[2]):
                    sums[matrix, i, j] += weight * right[matrix, k, j]


@kernel
def _orthonormalise(rows: npt.NDArray[np.float64]) -> None:
    for i in range(len(rows)):
        for _ in range(2):  # again, for what rounding has left; twice is enough
            for k in range(i):
                shared = _dot(rows[i], rows[k])
                for j in range(rows.shape[1]):
                    rows[i, j] -= shared * rows[k, j]
        length = math.sqrt(_dot(rows[i], rows[i]))
        for j in range(rows.shape[1]):
            rows[i, j] /= length


@compiled
def _dot(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    total = 0.0
    for j in range(len(first)):
        total += first[j] * second[j]
    return total
