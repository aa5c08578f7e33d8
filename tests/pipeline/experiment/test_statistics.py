from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.experiment.statistics import (
    LEAST_SEEDS,
    Interval,
    difference,
    improvement,
    interquartile_mean,
    interval,
    median,
    probability_of_improvement,
    share_above,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    Runs = npt.NDArray[np.float64]

ONE = np.array([-14.1, -14.5, -13.8, -16.2, -14.0, -21.7, -14.9])
OTHER = np.array([-16.9, -16.2, -14.0, -18.3, -16.5, -17.7])

returns = st.lists(st.integers(-3000, 0), min_size=1, max_size=12).map(lambda tenths: np.array(tenths) / 10)
enough = st.lists(st.integers(-300, 0), min_size=LEAST_SEEDS, max_size=9).map(lambda tenths: np.array(tenths) / 10)


def test_estimates_are_those_of_rliable() -> None:
    """rliable 1.2.0 on arch 7.2.0: `aggregate_iqm`, `probability_of_improvement`, `create_performance_profile`."""
    assert interquartile_mean(ONE) == pytest.approx(-14.74, abs=1e-12)
    assert interquartile_mean(OTHER) == pytest.approx(-16.825, abs=1e-12)
    assert probability_of_improvement(ONE, OTHER) == pytest.approx(0.73809524, abs=1e-8)
    assert [float(share_above(tau)(ONE)) for tau in (-18, -15, -14)] == pytest.approx(
        [0.85714286, 0.71428571, 0.14285714], abs=1e-8
    )


def test_intervals_are_those_of_rliable() -> None:
    """rliable's `get_interval_estimates` with 200,000 resamples, which has other random numbers and interpolates."""
    one, other = interval(ONE, interquartile_mean), interval(OTHER, interquartile_mean)
    assert (one.low, one.high) == pytest.approx((-17.72, -14.04), abs=0.05)
    assert (other.low, other.high) == pytest.approx((-17.8, -15.25), abs=0.05)
    better = improvement(ONE, OTHER)
    assert (better.low, better.high) == pytest.approx((0.42827381, 1.0), abs=0.02)
    share = interval(ONE, share_above(-15.0))
    assert (share.low, share.high) == pytest.approx((3 / 7, 1.0), abs=1e-12)


@given(enough, st.sampled_from([interquartile_mean, median, share_above(-15.0)]))
def test_intervals_are_those_of_scipy(runs: Runs, statistic: object) -> None:
    from scipy import stats  # here, for it takes a second of each process that collects tests

    if len(set(runs)) == 1:
        return
    own = interval(runs, statistic)  # type: ignore[arg-type]
    theirs = stats.bootstrap(
        (runs,),
        lambda values, axis: statistic(values),
        method="percentile",
        n_resamples=5000,
        rng=1,
        vectorized=True,  # type: ignore[operator]
    )
    resamples = np.sort(theirs.bootstrap_distribution)
    for end, level in ((own.low, 0.025), (own.high, 0.975)):
        # an end is a quantile of a discrete distribution: it lies between near quantiles of another sample of it
        assert np.quantile(resamples, level - 0.015, method="lower") <= end + 1e-9
        assert end - 1e-9 <= np.quantile(resamples, level + 0.015, method="higher")


def test_a_difference_is_scipys_of_two_strata() -> None:
    from scipy import stats

    own = difference(ONE, OTHER)
    theirs = stats.bootstrap(
        (ONE, OTHER),
        lambda runs, others, axis: interquartile_mean(runs) - interquartile_mean(others),
        method="percentile",
        n_resamples=50_000,
        rng=1,
        vectorized=True,
    ).confidence_interval
    assert own.estimate == pytest.approx(16.825 - 14.74, abs=1e-12)
    # other resamples are drawn, and for each direction others
    assert (own.low, own.high) == pytest.approx((theirs.low, theirs.high), abs=0.1)
    turned = difference(OTHER, ONE)
    assert turned.estimate == pytest.approx(-own.estimate)
    assert (turned.low, turned.high) == pytest.approx((-own.high, -own.low), abs=0.1)


@given(returns)
def test_the_interquartile_mean_is_scipys_trimmed_one(runs: Runs) -> None:
    from scipy import stats

    assert interquartile_mean(runs) == pytest.approx(stats.trim_mean(runs, 0.25), abs=1e-9)
    assert runs.min() - 1e-9 <= interquartile_mean(runs) <= runs.max() + 1e-9


@given(returns, returns)
def test_the_probability_of_improvement_is_mann_and_whitneys(runs: Runs, others: Runs) -> None:
    from scipy import stats

    u = stats.mannwhitneyu(runs, others, method="asymptotic").statistic if len({*runs, *others}) > 1 else None
    pairs = len(runs) * len(others)
    own = float(probability_of_improvement(runs, others))
    assert own == pytest.approx(0.5 if u is None else u / pairs, abs=1e-12)
    assert own + float(probability_of_improvement(others, runs)) == pytest.approx(1, abs=1e-12)


@given(enough, enough, st.randoms(use_true_random=False))
def test_the_order_of_the_seeds_does_not_matter(runs: Runs, others: Runs, random: object) -> None:
    shuffled = runs.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert interval(shuffled, interquartile_mean) == interval(runs, interquartile_mean)
    assert improvement(shuffled, others) == improvement(runs, others)


@given(enough)
def test_an_interval_is_of_values_that_can_come_up(runs: Runs) -> None:
    mean = interval(runs, interquartile_mean)
    assert runs.min() - 1e-9 <= mean.low <= mean.high <= runs.max() + 1e-9
    share = interval(runs, share_above(-15.0))
    assert 0 <= share.low <= share.estimate <= share.high <= 1


def test_a_share_is_of_runs_that_are_better_than_the_threshold() -> None:
    assert float(share_above(-14.5)(ONE)) == 3 / 7  # -14.5 itself is not above


def test_a_run_without_a_value_is_never_hidden_by_a_mean() -> None:
    one_missing = np.array([-math.inf, -15.0, -14.0, -13.0, -12.0])
    assert float(interquartile_mean(one_missing)) == -14.0
    assert interval(one_missing, interquartile_mean).low == -math.inf
    assert float(interquartile_mean(np.array([-math.inf, -math.inf, -14.0, -13.0, -12.0]))) == -math.inf
    assert interval(np.full(5, math.inf), median) == Interval(math.inf, math.inf, math.inf)
    assert float(probability_of_improvement(one_missing, np.full(5, -20.0))) == 0.8


def test_too_few_seeds_have_no_interval() -> None:
    with pytest.raises(ValueError, match="4 seeds are too few for an interval, which takes 5"):
        interval(ONE[:4], median)
    with pytest.raises(ValueError, match="4 seeds"):
        improvement(ONE, OTHER[:4])
