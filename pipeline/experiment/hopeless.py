"""Which variants need no more seeds: a function of runs that have ended, in the order of their seeds.

After 5, 10, 20, ... seeds of all variants that are left they are compared, and those that are hopeless get no more. The
runs of later seeds wait for that, so no decision depends on which run was done first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.experiment.statistics import LEAST_SEEDS, improvement, interquartile_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.experiment.statistics import Runs

BOUND: Final = 0.25
"""A variant is hopeless if the upper end of its probability of improvement over the best is below this."""


def stages(num_seeds: int) -> list[int]:
    """Return after how many seeds variants are compared, and last how many there are."""
    after, all_stages = LEAST_SEEDS, []
    while after < num_seeds:
        all_stages.append(after)
        after *= 2
    return [*all_stages, num_seeds]


def hopeless(returns: Mapping[str, Runs]) -> tuple[str, ...]:
    """Return the variants that need no more seeds.

    Args:
        returns: By variant: `[num_seeds]`, `LEAST_SEEDS` or more, of the same seeds.
    """
    best = max(returns, key=lambda name: float(interquartile_mean(returns[name])))  # the first of those that tie
    return tuple(name for name in returns if name != best and improvement(returns[name], returns[best]).high < BOUND)
