"""Rewards of all 120 orders, made up: what a search is tried on, and the noise through which it sees them.

Every landscape has zero mean and unit variance over the orders. What "first" or "three types" are, and all values,
are drawn anew for each seed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts.order_names import NUM_HOST_TYPES, NUM_PAIRS, NUM_WORKFLOWS, PAIRS
from pipeline.cage2.facts.orders import KENDALL, ORDERS, PRECEDENCES
from pipeline.cage2.facts.spec import HOST_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Values = npt.NDArray[np.float64]
    """`[120]` float64."""

_DISAGREEMENTS = np.rint(KENDALL * NUM_PAIRS)  # [120, 120], pairs


def mallows(rng: np.random.Generator) -> Values:
    """Draw from a Gaussian process with a Mallows kernel: a disagreement costs a fifth of a nat of correlation."""
    covariance = np.exp(-0.2 * _DISAGREEMENTS) + 1e-10 * np.eye(NUM_WORKFLOWS)
    values: Values = np.linalg.cholesky(covariance) @ rng.normal(size=NUM_WORKFLOWS)
    return values


def peak(rng: np.random.Generator) -> Values:
    """One order is best, and the others are worse the farther they are from it, in Kendall's distance."""
    values: Values = np.exp(-0.25 * _DISAGREEMENTS[rng.integers(NUM_WORKFLOWS)])
    return values


def first(rng: np.random.Generator) -> Values:
    """Let the first place decide, the second a little, and all the rest next to nothing."""
    by_first, by_second = rng.normal(size=(2, NUM_HOST_TYPES))
    values: Values = by_first[ORDERS[:, 0]] + 0.3 * by_second[ORDERS[:, 1]] + 0.1 * rng.normal(size=NUM_WORKFLOWS)
    return values


def assignment(rng: np.random.Generator) -> Values:
    """Each type has a worth of its own at each place, and these add up."""
    worth = rng.normal(size=(NUM_HOST_TYPES, NUM_HOST_TYPES))  # [place, type]
    values: Values = worth[np.arange(NUM_HOST_TYPES), ORDERS].sum(axis=1)
    return values


def precedences(rng: np.random.Generator) -> Values:
    """Each pair has a worth if it stands the one way round, and these add up."""
    values: Values = PRECEDENCES @ rng.normal(size=NUM_PAIRS)
    return values


def three_types(rng: np.random.Generator) -> Values:
    """Nothing counts but how three of the types stand among themselves: six values, twenty orders each."""
    chosen = rng.permutation(NUM_HOST_TYPES)[:3]
    pairs = [pair for pair, (i, j) in enumerate(PAIRS) if i in chosen and j in chosen]
    values: Values = rng.normal(size=(2, 2, 2))[tuple(PRECEDENCES[:, pairs].T)]
    return values


def rugged(rng: np.random.Generator) -> Values:
    """Every order is drawn by itself: there is nothing to learn from one about another."""
    return rng.normal(size=NUM_WORKFLOWS)


def compliance_like(rng: np.random.Generator) -> Values:
    """Do as this game does for a trained defender: enterprise before user decides, all pairs count a little."""
    decisive = PAIRS.index((HOST_TYPES.index("enterprise"), HOST_TYPES.index("user")))
    values: Values = 2.0 * PRECEDENCES[:, decisive] + 0.1 * (PRECEDENCES @ rng.normal(size=NUM_PAIRS))
    return values


def tied(rng: np.random.Generator) -> Values:
    """Half of the orders, those with one pair one way round, are exactly equal and best; the others vary."""
    below: Values = np.where(PRECEDENCES[:, rng.integers(NUM_PAIRS)] == 1, 0.0, -0.5 - np.abs(mallows(rng)))
    return below


LANDSCAPES: dict[str, Callable[[np.random.Generator], Values]] = {
    "mallows": mallows,
    "peak": peak,
    "first": first,
    "assignment": assignment,
    "precedences": precedences,
    "three types": three_types,
    "rugged": rugged,
    "compliance": compliance_like,
    "tied": tied,
}

NOISES: dict[str, tuple[float, Callable[[np.random.Generator], float]]] = {
    "gauss 0.25": (0.25, lambda rng: rng.normal()),
    "gauss 1": (1.0, lambda rng: rng.normal()),
    "heavy 0.5": (0.5, lambda rng: rng.standard_t(3) / math.sqrt(3)),
    "skewed 0.5": (0.5, lambda rng: 1 - rng.exponential()),
}
"""Standard deviation, and what draws a number of zero mean and unit variance: Gaussian, Student's t with 3 degrees of
freedom, and an exponential lower tail."""


def draw(landscape: str, seed: int) -> Values:
    """Return a landscape of zero mean and unit variance, read-only."""
    values = LANDSCAPES[landscape](np.random.default_rng([seed, list(LANDSCAPES).index(landscape)]))
    values = (values - values.mean()) / values.std()
    values.setflags(write=False)
    return values
