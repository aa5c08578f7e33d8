from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.numerics.elementary64 import each_exp, each_log

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Each = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


@pytest.mark.parametrize(
    ("each", "exact", "low", "high"),
    [
        (each_exp, np.exp, -708.0, 709.4),
        (each_exp, np.exp, -1.0, 1.0),
        (each_log, np.log, 1e-300, 1e300),
        (each_log, np.log, 0.5, 160.0),
        (each_log, np.log, 0.999, 1.001),
    ],
)
def test_within_one_unit_in_the_last_place(
    each: Each, exact: Callable[..., npt.NDArray], low: float, high: float
) -> None:
    values = np.random.default_rng(0).uniform(low, high, 200_000)
    expected = exact(values.astype(np.longdouble))  # of 64 bits, by the C library
    assert np.finfo(np.longdouble).nmant > 52
    assert np.max(np.abs(each(values) - expected) / np.spacing(np.abs(expected.astype(np.float64)))) < 1


def test_small_numbers_have_their_logarithm_too() -> None:
    values = np.exp(np.random.default_rng(0).uniform(-700, 700, 10_000))
    np.testing.assert_allclose(each_log(values), np.log(values), rtol=1e-15)


def test_what_is_no_number_stays_so_and_ends_are_right() -> None:
    found = each_exp(np.array([np.nan, np.inf, -np.inf, -1e4, 0.0, 709.5]))
    np.testing.assert_array_equal(found, [np.nan, np.inf, 0.0, 0.0, 1.0, np.inf])
    np.testing.assert_array_equal(each_log(np.array([np.nan, np.inf, 1.0])), [np.nan, np.inf, 0.0])


def test_any_shape_is_taken_and_left_as_it_is() -> None:
    values = np.arange(12.0).reshape(3, 4).T
    assert each_exp(values)[3, 2] == each_exp(values[3:, 2])[0]
    assert values[3, 2] == 11


@pytest.mark.parametrize(
    ("each", "low", "digest"), [(each_exp, -700.0, "38d75bf0bcb1a27b"), (each_log, 1e-3, "92b96107e4108f1b")]
)
def test_they_have_the_bits_that_they_always_had(each: Each, low: float, digest: str) -> None:
    """On every processor: a change here makes old results unrepeatable."""
    assert hashlib.sha256(each(np.linspace(low, 700.0, 10_001)).tobytes()).hexdigest()[:16] == digest
