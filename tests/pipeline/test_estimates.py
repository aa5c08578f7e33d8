from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.estimates import estimate, estimate_of_tenths, sample_std

TENTHS = st.lists(st.integers(-13_000, 100), min_size=1, max_size=50)


@given(TENTHS)
def test_estimates_are_what_statistics_has(tenths: list[int]) -> None:
    points = [value / 10 for value in tenths]
    std = statistics.stdev(points) if len(points) > 1 else 0.0
    assert sample_std(np.array(points)) == pytest.approx(std, rel=1e-9, abs=1e-9)
    for told in (estimate(np.array(points)), estimate_of_tenths(np.array(tenths))):
        assert told.mean == pytest.approx(statistics.fmean(points), rel=1e-12, abs=1e-12)
        assert told.stderr == pytest.approx(std / math.sqrt(len(points)), rel=1e-9, abs=1e-9)


@given(TENTHS, st.randoms())
def test_the_mean_of_tenths_is_the_nearest_number_in_any_order(tenths: list[int], random: object) -> None:
    exact = float(Fraction(sum(tenths), 10 * len(tenths)))
    assert estimate_of_tenths(np.array(tenths)).mean == exact
    random.shuffle(tenths)
    assert estimate_of_tenths(np.array(tenths)).mean == exact


def test_a_single_value_has_no_error() -> None:
    assert (estimate(np.array([-3.5])).mean, estimate(np.array([-3.5])).stderr) == (-3.5, 0.0)
    assert (estimate_of_tenths(np.array([-35])).mean, estimate_of_tenths(np.array([-35])).stderr) == (-3.5, 0.0)
