"""What is refused when it is compiled, and would be read or written as contiguous float32 if it were not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest

from pipeline.numerics import lanes_code
from pipeline.numerics.compiled import COMPILED

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(not COMPILED, reason="nothing is compiled")

GOOD = np.zeros(512, np.float32)
READ_ONLY = GOOD.copy()
READ_ONLY.setflags(write=False)
BAD = {
    "float64": np.zeros(64),
    "int32": np.zeros(64, np.int32),
    "bool": np.zeros(64, np.bool_),
    "two-dimensional": np.zeros((4, 64), np.float32),
    "every other number": np.zeros(128, np.float32)[::2],
    "a number": np.float32(0),
}


def load(values: Any, start: Any) -> None:
    lanes_code.load(values, start)


def store(values: Any, lanes: Any) -> None:
    lanes_code.store(values, 0, lanes_code.load(lanes, 0))


def store_a_number(values: Any, number: Any) -> None:
    lanes_code.store(values, 0, number)


def transpose_from(values: Any, others: Any) -> None:
    lanes_code.transpose_tile(values, 0, 16, others, 0, 16)


def transpose_to(others: Any, values: Any) -> None:
    lanes_code.transpose_tile(values, 0, 16, others, 0, 16)


def transpose_at(values: Any, step: Any) -> None:
    lanes_code.transpose_tile(values, 0, step, values, 256, 16)


def broadcast(number: Any) -> None:
    lanes_code.broadcast(number)


def add(values: Any, number: Any) -> None:
    lanes_code.add(lanes_code.load(values, 0), number)


def add_product(values: Any, factor: Any) -> None:
    lanes = lanes_code.load(values, 0)
    lanes_code.add_product(lanes, factor, lanes)


def add_products(values: Any, number: Any) -> None:
    lanes = lanes_code.load(values, 0)
    lanes_code.add_products(lanes, lanes, number)


def maximum(values: Any, number: Any) -> None:
    lanes_code.maximum(number, lanes_code.load(values, 0))


def reduce_sum(number: Any) -> None:
    lanes_code.reduce_sum(number)


def reduce_max(number: Any) -> None:
    lanes_code.reduce_max(number)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (load, (GOOD, 0)),
        (load, (READ_ONLY, np.uint8(3))),
        (store, (GOOD, READ_ONLY)),
        (transpose_from, (READ_ONLY, GOOD)),
        (transpose_at, (GOOD, 16)),
        (broadcast, (np.float32(1),)),
        (add_product, (GOOD, np.float32(1))),
    ],
)
def test_contiguous_float32_is_taken(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    numba.njit(function)(*arguments)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        *((load, (array, 0)) for array in BAD.values()),
        *((store, (array, GOOD)) for array in (*BAD.values(), READ_ONLY)),
        *((transpose_from, (array, GOOD)) for array in BAD.values()),
        *((transpose_to, (array, GOOD)) for array in (*BAD.values(), READ_ONLY)),
        *((function, (GOOD, 1.0)) for function in (load, store_a_number, transpose_at, add, add_products, maximum)),
        *((function, (GOOD, np.float32(1))) for function in (store_a_number, add, add_products, maximum)),
        *((add_product, (GOOD, factor)) for factor in (1.0, 1, GOOD)),
        *((broadcast, (number,)) for number in (1.0, 1, GOOD)),
        *((function, (number,)) for function in (reduce_sum, reduce_max) for number in (1.0, np.float32(1), GOOD)),
    ],
)
def test_all_else_is_refused_when_it_is_compiled(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    with pytest.raises(numba.TypingError, match=r"lanes\.[a-z_]+ does not take \("):
        numba.njit(function)(*arguments)
