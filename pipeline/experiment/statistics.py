"""What may be said of a variant, or of two, from a few runs that differ in their seeds alone.

The measures are those of Agarwal, Schwarzer, Castro, Courville and Bellemare, "Deep Reinforcement Learning at the Edge
of the Statistical Precipice", NeurIPS 2021, and their library, rliable. What is resampled are seeds, each variant's by
themselves (the strata), and never episodes: another training is what the numbers are to hold for.

A run may have no value: it named no defender, or never came to a threshold. Then it is infinite, on the bad side. That
says where it stands among the others, and no mean is made of it that could hide it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.seeding import Stream, generator

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Runs = npt.NDArray[np.float64]
    """`[num_seeds]`, or `[resamples, num_seeds]`: a value per run; -inf or +inf where a run has none."""

LEAST_SEEDS: Final = 5
"""Below them nothing is concluded: five values have 126 different resamples, three have 10."""
CONFIDENCE: Final = 0.95
NUM_RESAMPLES: Final = 10_000
_TRIMMED: Final = 0.25
"""At either end of an interquartile mean."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, and where 95 % of its resamples lie."""

    estimate: float
    low: float
    high: float


def interquartile_mean(runs: Runs) -> Runs:
    """Return the mean of the middle half of the runs: a quarter of them, rounded down, is left out at either end.

    Args:
        runs: `[..., num_seeds]`.

    Returns:
        `[...]`.
    """
    num_seeds = runs.shape[-1]
    num_trimmed = int(_TRIMMED * num_seeds)
    middle = np.sort(runs)[..., num_trimmed : num_seeds - num_trimmed]
    return np.asarray(middle.mean(axis=-1), np.float64)


def median(runs: Runs) -> Runs:
    """Return the median over runs, `[...]` for `[..., num_seeds]`."""
    return np.asarray(np.median(runs, axis=-1), np.float64)


def share_above(threshold: float) -> Callable[[Runs], Runs]:
    """Return what gives the share of runs above a threshold: a point of a performance profile."""
    return lambda runs: np.asarray((runs > threshold).mean(axis=-1), np.float64)


def probability_of_improvement(runs: Runs, others: Runs) -> Runs:
    """Return how probably a run of one variant is better than one of another, a tie being half of each.

    That is Mann and Whitney's U over the number of pairs.

    Args:
        runs: `[..., num_seeds]`.
        others: `[..., num_others]`, with as many resamples.

    Returns:
        `[...]`, 0 to 1.
    """
    one, other = runs[..., :, None], others[..., None, :]  # [..., num_seeds, num_others]
    return np.asarray(((one > other) + 0.5 * (one == other)).mean(axis=(-2, -1)), np.float64)


def interval(runs: Runs, statistic: Callable[[Runs], Runs]) -> Interval:
    """Return a statistic of runs with its percentile bootstrap interval.

    Args:
        runs: `[num_seeds]`, `LEAST_SEEDS` or more.
        statistic: Gives `[...]` for `[..., num_seeds]`.
    """
    return _interval(statistic(runs), statistic(_resampled(runs, stratum=0)))


def improvement(runs: Runs, others: Runs) -> Interval:
    """Return the probability of improvement with its percentile bootstrap interval, each variant a stratum.

    Args:
        runs: `[num_seeds]`, `LEAST_SEEDS` or more.
        others: `[num_others]`, as many or not.
    """
    resampled = _resampled(runs, stratum=0), _resampled(others, stratum=1)
    return _interval(probability_of_improvement(runs, others), probability_of_improvement(*resampled))


def difference(runs: Runs, others: Runs) -> Interval:
    """Return by how much the interquartile mean of one variant is higher, with its interval, each variant a stratum.

    Args:
        runs: `[num_seeds]`, `LEAST_SEEDS` or more, all of which have a value.
        others: `[num_others]`, as many or not, likewise.
    """
    resampled = interquartile_mean(_resampled(runs, stratum=0)) - interquartile_mean(_resampled(others, stratum=1))
    return _interval(interquartile_mean(runs) - interquartile_mean(others), resampled)


def _resampled(runs: Runs, stratum: int) -> Runs:
    """Return `[NUM_RESAMPLES, num_seeds]`: the runs drawn with replacement, whatever order they are in."""
    if len(runs) < LEAST_SEEDS:
        msg = f"{len(runs)} seeds are too few for an interval, which takes {LEAST_SEEDS}"
        raise ValueError(msg)
    indices = generator(0, Stream.BOOTSTRAP, stratum).integers(len(runs), size=(NUM_RESAMPLES, len(runs)))
    return np.sort(runs)[indices]


def _interval(estimate: Runs, resamples: Runs) -> Interval:
    """Return the interval; its ends are values that came up, for between infinity and a number there is none."""
    outside = (1 - CONFIDENCE) / 2
    low = np.quantile(resamples, outside, method="lower")
    high = np.quantile(resamples, 1 - outside, method="higher")
    return Interval(float(estimate), float(low), float(high))
