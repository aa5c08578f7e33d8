"""Matrices of float32, flat and row by row, for compiled code: a product that is added, sums of rows, the transpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.numerics.compiled import compiled
from pipeline.numerics.lanes import add, add_product, load, noinline, store, transpose_tile
from pipeline.numerics.lanes_code import WIDTH

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TILE = 2 * WIDTH
"""Columns of a product at once. Every matrix has a multiple of them."""
ROWS = 4
"""Rows of a product at once."""


@compiled
def add_matrix_product(
    a: npt.NDArray[np.float32],
    row_step: int,
    column_step: int,
    b: npt.NDArray[np.float32],
    columns: int,
    c: npt.NDArray[np.float32],
    num_rows: int,
    num_terms: int,
) -> None:
    """Add the product of two matrices to a third; each element is summed from the first term to the last.

    Four rows and two `Lanes` at once: eight sums stay in registers while a row of `b` is read for all of them.

    Args:
        a: `[...]` float32, whose element `(i, k)` lies at `i * row_step + k * column_step`.
        row_step: See `a`.
        column_step: See `a`.
        b: `[num_terms, columns]` float32, flat; more may follow.
        columns: A multiple of `TILE`.
        c: `[num_rows, columns]` float32, flat; more may follow.
        num_rows: A multiple of 4.
        num_terms: Terms of each sum.
    """
    noinline()
    for i in range(0, num_rows, ROWS):
        a_0 = i * row_step
        a_1, a_2, a_3 = a_0 + row_step, a_0 + 2 * row_step, a_0 + 3 * row_step
        c_0 = i * columns
        c_1, c_2, c_3 = c_0 + columns, c_0 + 2 * columns, c_0 + 3 * columns
        for j in range(0, columns, TILE):
            h = j + WIDTH
            sums_0, more_0 = load(c, c_0 + j), load(c, c_0 + h)
            sums_1, more_1 = load(c, c_1 + j), load(c, c_1 + h)
            sums_2, more_2 = load(c, c_2 + j), load(c, c_2 + h)
            sums_3, more_3 = load(c, c_3 + j), load(c, c_3 + h)
            for k in range(num_terms):
                lanes, more = load(b, k * columns + j), load(b, k * columns + h)
                step = k * column_step
                sums_0, more_0 = add_product(sums_0, a[a_0 + step], lanes), add_product(more_0, a[a_0 + step], more)
                sums_1, more_1 = add_product(sums_1, a[a_1 + step], lanes), add_product(more_1, a[a_1 + step], more)
                sums_2, more_2 = add_product(sums_2, a[a_2 + step], lanes), add_product(more_2, a[a_2 + step], more)
                sums_3, more_3 = add_product(sums_3, a[a_3 + step], lanes), add_product(more_3, a[a_3 + step], more)
            store(c, c_0 + j, sums_0)
            store(c, c_0 + h, more_0)
            store(c, c_1 + j, sums_1)
            store(c, c_1 + h, more_1)
            store(c, c_2 + j, sums_2)
            store(c, c_2 + h, more_2)
            store(c, c_3 + j, sums_3)
            store(c, c_3 + h, more_3)


@compiled
def fill(values: npt.NDArray[np.float32], num_rows: int, row: npt.NDArray[np.float32], columns: int) -> None:
    """Write `[columns]` float32 into `num_rows` rows."""
    for i in range(num_rows):
        for j in range(0, columns, WIDTH):
            store(values, i * columns + j, load(row, j))


@compiled
def add_rows(sums: npt.NDArray[np.float32], rows: npt.NDArray[np.float32], num_rows: int, columns: int) -> None:
    """Add `num_rows` rows to `[columns]` float32, from the first to the last."""
    for j in range(0, columns, WIDTH):
        total = load(sums, j)
        for i in range(num_rows):
            total = add(total, load(rows, i * columns + j))
        store(sums, j, total)


@compiled
def transpose(
    values: npt.NDArray[np.float32], num_rows: int, columns: int, transposed: npt.NDArray[np.float32]
) -> None:
    """Write the transpose of `[num_rows, columns]` float32; both are multiples of `WIDTH`."""
    for i in range(0, num_rows, WIDTH):
        for j in range(0, columns, WIDTH):
            transpose_tile(values, i * columns + j, columns, transposed, j * num_rows + i, num_rows)
