from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest

from pipeline.numerics import elementary

if TYPE_CHECKING:
    from collections.abc import Callable


def over(function: Callable[..., Any]) -> Callable[[np.ndarray, np.ndarray], None]:
    """A loop over elements, uncached, as the kernels have them."""

    def loop(values: np.ndarray, results: np.ndarray) -> None:
        for i in range(len(values)):
            results[i] = function(values[i])

    return numba.njit(error_model="numpy")(loop)


@pytest.mark.parametrize(
    ("name", "exact", "low", "high"),
    [
        ("exp", np.exp, -64.0, 88.0),
        ("exp", np.exp, -1.0, 1.0),
        ("expm1", np.expm1, -3.0, 3.0),
        ("expm1", np.expm1, -1e-3, 1e-3),
        ("tanh", np.tanh, -10.0, 10.0),
        ("tanh", np.tanh, -0.7, 0.7),
        ("log", np.log, 1e-30, 1e30),
        ("log", np.log, 0.5, 160.0),
    ],
)
def test_within_two_units_in_the_last_place(name: str, exact: Callable[..., Any], low: float, high: float) -> None:
    values = np.random.default_rng(0).uniform(low, high, 200_000).astype(np.float32)
    results = np.empty_like(values)
    over(getattr(elementary, name))(values, results)

    expected = exact(values.astype(np.float64))
    assert np.max(np.abs(results - expected) / np.spacing(np.abs(expected).astype(np.float32))) < 2


def test_what_is_no_number_stays_so_and_ends_are_right() -> None:
    values = np.array([np.nan, np.inf, -np.inf, -64.01, -1e4, 0.0], np.float32)
    expected = {
        "exp": [np.nan, np.inf, 0.0, 0.0, 0.0, 1.0],
        "expm1": [np.nan, np.inf, -1.0, -1.0, -1.0, 0.0],
        "tanh": [np.nan, 1.0, -1.0, -1.0, -1.0, 0.0],
    }
    for name, row in expected.items():
        results = np.empty_like(values)
        over(getattr(elementary, name))(values, results)
        assert results == pytest.approx(np.array(row, np.float32), rel=1e-6, abs=0, nan_ok=True)
