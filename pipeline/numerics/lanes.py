"""Sixteen float32 side by side, for compiled loops whose sums have to stay in the processor's registers.

A loop over elements is left to the compiler. Where sixteen sums run through a whole product of matrices, or a sum has
to be taken in an order that is the same on every processor, the loops are written with these.

A processor with narrower registers takes two or four of them for one of these. Nothing is reordered, and products are
added by the fused operation, which every processor rounds alike: the bits are the same on each of them. (One without
that instruction, made before 2013, does it in software, slowly.) Where nothing is compiled, plain Python does the same
but for the last bit of a sum in many millions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pipeline.numerics import lanes_code
from pipeline.numerics.compiled import COMPILED
from pipeline.numerics.lanes_code import WIDTH

if TYPE_CHECKING:
    import numpy.typing as npt

Lanes: TypeAlias = Any
"""Sixteen float32; `[16]` float32 where nothing is compiled."""


def noinline() -> None:
    """Keep the compiler from copying the function that calls this one into its callers: each copy takes seconds."""


def load(values: npt.NDArray[np.float32], start: int) -> Lanes:
    """Return `values[start : start + 16]`; `[...]` float32, contiguous."""
    return values[start : start + WIDTH].copy()


def store(values: npt.NDArray[np.float32], start: int, lanes: Lanes) -> None:
    """Write to `values[start : start + 16]`."""
    values[start : start + WIDTH] = lanes


def broadcast(value: Any) -> Lanes:
    """Return sixteen times the same float32."""
    return np.full(WIDTH, value, np.float32)


def add(lanes: Lanes, others: Lanes) -> Lanes:
    """Return the sums."""
    return lanes + others


def add_product(sums: Lanes, factor: float, lanes: Lanes) -> Lanes:
    """Return `sums + factor * lanes`, rounded once."""
    return (sums + np.float64(factor) * lanes).astype(np.float32)  # the product is exact in float64


def add_products(sums: Lanes, lanes: Lanes, others: Lanes) -> Lanes:
    """Return `sums + lanes * others`, rounded once."""
    return (sums + lanes.astype(np.float64) * others).astype(np.float32)


def transpose_tile(
    values: npt.NDArray[np.float32],
    start: int,
    row_step: int,
    transposed: npt.NDArray[np.float32],
    transposed_start: int,
    transposed_step: int,
) -> None:
    """Write sixteen rows of sixteen to another place, as columns.

    Args:
        values: `[...]` float32; the rows begin at `start`, `row_step` apart.
        start: See there.
        row_step: See there.
        transposed: `[...]` float32; the rows begin at `transposed_start`, `transposed_step` apart.
        transposed_start: See there.
        transposed_step: See there.
    """
    for i in range(WIDTH):
        for j in range(WIDTH):
            transposed[transposed_start + j * transposed_step + i] = values[start + i * row_step + j]


def maximum(lanes: Lanes, others: Lanes) -> Lanes:
    """Return the larger of each pair; of a pair with a NaN, the second."""
    return np.where(lanes > others, lanes, others)


def reduce_sum(lanes: Lanes) -> Any:
    """Return the sum, by halves: 16 to 8 to 4 to 2 to 1; float32."""
    width = WIDTH
    while width > 1:
        width //= 2
        lanes = lanes[:width] + lanes[width:]
    return lanes[0]


def reduce_max(lanes: Lanes) -> Any:
    """Return the largest, by halves; float32."""
    width = WIDTH
    while width > 1:
        width //= 2
        lanes = np.where(lanes[:width] > lanes[width:], lanes[:width], lanes[width:])
    return lanes[0]


_FUNCTIONS = (
    *("add", "add_product", "add_products", "broadcast", "load", "maximum"),
    *("noinline", "reduce_max", "reduce_sum", "store", "transpose_tile"),
)
if COMPILED:  # to compiled code these names mean the same functions as instructions; to type checkers, those above
    globals().update({name: getattr(lanes_code, name) for name in _FUNCTIONS})
