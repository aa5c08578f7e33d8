from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.numerics import lanes
from pipeline.numerics.compiled import kernel
from pipeline.numerics.lanes_code import WIDTH

ROOT = Path(__file__).parents[3]
FLOATS = st.floats(-(2.0**20), 2.0**20, width=32)
NAN = np.float32(np.nan)


@kernel
def combine(values: Any, others: Any, factor: Any, results: Any) -> None:
    ours, theirs = lanes.load(values, 0), lanes.load(others, 0)
    lanes.store(results, 0, lanes.broadcast(factor))
    lanes.store(results, 16, lanes.add(ours, theirs))
    lanes.store(results, 32, lanes.add_product(ours, factor, theirs))
    lanes.store(results, 48, lanes.add_products(ours, theirs, ours))
    lanes.store(results, 64, lanes.maximum(ours, theirs))
    results[80] = lanes.reduce_sum(ours)
    results[81] = lanes.reduce_max(ours)


@kernel
def move(values: Any, start: int, others: Any, other_start: int) -> None:
    lanes.noinline()
    lanes.store(others, other_start, lanes.load(values, start))


@kernel
def transpose(values: Any, start: int, step: int, others: Any, other_start: int, other_step: int) -> None:
    lanes.transpose_tile(values, start, step, others, other_start, other_step)


def combined(values: np.ndarray, others: np.ndarray, factor: np.float32) -> list[np.ndarray]:
    results = np.full(96, 7, np.float32)
    combine(values, others, factor, results)
    assert (results[82:] == 7).all()
    return [*results[:80].reshape(5, WIDTH), *results[80:82]]


def halved(values: np.ndarray) -> np.float32:
    """The sum in the order that is promised."""
    while len(values) > 1:
        values = values[: len(values) // 2] + values[len(values) // 2 :]
    return values[0]


@given(hnp.arrays(np.float32, WIDTH, elements=FLOATS), hnp.arrays(np.float32, WIDTH, elements=FLOATS), FLOATS)
def test_sixteen_at_once_are_what_each_alone_is(values: np.ndarray, others: np.ndarray, number: float) -> None:
    factor = np.float32(number)
    spread, sums, _, _, largest, total, top = combined(values, others, factor)
    assert (spread == factor).all()
    assert np.array_equal(sums, values + others)
    assert np.array_equal(largest, np.maximum(values, others))
    assert total == halved(values)
    assert top == values.max()


@given(hnp.arrays(np.int64, (2, WIDTH), elements=st.integers(-(2**11), 2**11)), st.integers(-(2**11), 2**11))
def test_products_are_added_exactly_where_they_can_be(numbers: np.ndarray, factor: int) -> None:
    values, others = numbers.astype(np.float32)
    _, _, product, products, *_ = combined(values, others, np.float32(factor))
    assert product.tolist() == (numbers[0] + factor * numbers[1]).tolist()
    assert products.tolist() == (numbers[0] + numbers[1] * numbers[0]).tolist()


def test_a_product_is_not_rounded_before_it_is_added() -> None:
    near_one = np.full(WIDTH, 1 + 2.0**-12, np.float32)
    less = np.full(WIDTH, -(1 + 2.0**-11), np.float32)
    _, _, product, *_ = combined(less, near_one, near_one[0])
    assert (product == 2.0**-24).all()  # 0 if the square were rounded first


def test_of_a_pair_with_a_nan_the_second_is_taken() -> None:
    values, others = np.zeros(WIDTH, np.float32), np.ones(WIDTH, np.float32)
    values[0], others[1] = NAN, NAN
    largest = combined(values, others, np.float32(0))[4]
    assert largest[0] == 1
    assert np.isnan(largest[1])


@given(st.integers(0, 24), st.integers(0, 24))
def test_nothing_but_sixteen_numbers_is_written(start: int, other_start: int) -> None:
    values, others = np.arange(40, dtype=np.float32), np.full(40, -1, np.float32)
    move(values, start, others, other_start)
    expected = np.full(40, -1, np.float32)
    expected[other_start : other_start + WIDTH] = values[start : start + WIDTH]
    assert np.array_equal(others, expected)


@given(st.integers(0, 9), st.integers(16, 20), st.integers(0, 9), st.integers(16, 20))
def test_a_tile_is_transposed_wherever_it_lies(start: int, step: int, other_start: int, other_step: int) -> None:
    values, others = np.arange(400, dtype=np.float32), np.full(400, -1, np.float32)
    transpose(values, start, step, others, other_start, other_step)
    expected = np.full(400, -1, np.float32)
    for i in range(WIDTH):
        for j in range(WIDTH):
            expected[other_start + j * other_step + i] = values[start + i * step + j]
    assert np.array_equal(others, expected)


def test_plain_python_does_the_same() -> None:
    """The tests above, but for these, with nothing compiled."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not plain_python", __file__],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
