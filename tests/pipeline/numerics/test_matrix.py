from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.numerics import matrix
from pipeline.numerics.compiled import int64, kernel
from pipeline.numerics.lanes_code import WIDTH
from pipeline.numerics.matrix import ROWS, TILE

ROW_COUNTS = st.integers(0, 4).map(lambda count: ROWS * count)
COLUMN_COUNTS = st.integers(1, 3).map(lambda count: TILE * count)


@kernel
def multiply(a: Any, row_step: int, column_step: int, b: Any, columns: int, c: Any, num_rows: int, terms: int) -> None:
    matrix.add_matrix_product(a, row_step, column_step, b, columns, c, num_rows, terms)


@kernel
def over_rows(rows: Any, num_rows: int, columns: int, row: Any, sums: Any, filled: Any, transposed: Any) -> None:
    matrix.fill(filled, num_rows, row, columns)
    matrix.add_rows(sums, rows, num_rows, columns)
    matrix.transpose(rows, num_rows, columns, transposed)


def whole_numbers(seed: int, *shape: int) -> np.ndarray:
    """Float32 whose products and sums are exact."""
    return np.random.default_rng(seed).integers(-50, 50, shape).astype(np.float32)


@given(ROW_COUNTS, COLUMN_COUNTS, st.integers(0, 70), st.booleans(), st.integers(0, 1000))
def test_a_product_is_added(num_rows: int, columns: int, num_terms: int, by_column: bool, seed: int) -> None:
    a, b = whole_numbers(seed, num_rows, num_terms), whole_numbers(seed + 1, num_terms, columns)
    c = whole_numbers(seed + 2, num_rows + 1, columns)
    expected = c.copy()
    expected[:num_rows] += a @ b
    flat, steps = (a.T.ravel(), (1, num_rows)) if by_column else (a.ravel(), (num_terms, 1))
    more = np.append(b.ravel(), np.float32(np.nan))  # what lies beyond is not read
    multiply(flat, *map(int64, steps), more, int64(columns), c.reshape(-1), int64(num_rows), int64(num_terms))
    assert np.array_equal(c, expected)


def test_sums_are_taken_from_the_first_term_to_the_last() -> None:
    """Which, for these, ends elsewhere than any other order."""
    terms = np.array([2.0**24, 1.0, -(2.0**24), 1.0], np.float32)
    a, b = np.tile(terms, ROWS), np.ones(4 * TILE, np.float32)
    c = np.zeros(ROWS * TILE, np.float32)
    multiply(a, int64(4), int64(1), b, int64(TILE), c, int64(ROWS), int64(4))
    assert (c == 1.0).all()  # the first 1 is lost in 2**24


@given(
    st.integers(0, 3).map(lambda count: WIDTH * count),
    st.integers(1, 3).map(lambda count: WIDTH * count),
    st.integers(0, 1000),
)
def test_rows_are_filled_added_and_transposed(num_rows: int, columns: int, seed: int) -> None:
    rows, row = whole_numbers(seed, num_rows, columns), whole_numbers(seed + 1, columns)
    sums, filled = whole_numbers(seed + 2, columns), np.zeros((num_rows + 1, columns), np.float32)
    transposed = np.zeros((columns, num_rows), np.float32)
    expected_sums = sums + rows.sum(axis=0)
    over_rows(rows.reshape(-1), int64(num_rows), int64(columns), row, sums, filled.reshape(-1), transposed.reshape(-1))
    assert np.array_equal(sums, expected_sums)
    assert np.array_equal(filled, np.vstack([*[row] * num_rows, np.zeros_like(row)]))
    assert np.array_equal(transposed, rows.T)
