"""What a search has found out, and what it hasn't: the best order, all that may be as good, and which pairs matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.cage2.facts.order_names import NUM_PAIRS, PAIRS, order_name
from pipeline.cage2.facts.orders import PRECEDENCES
from pipeline.cage2.facts.spec import HOST_TYPES
from pipeline.numerics.linear_algebra import cholesky, product, solve_lower
from pipeline.numerics.normal import quantile
from pipeline.types import PairEffect, Settling, TiedOrder
from pipeline.workflows.posterior import fit, sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from pipeline.workflows.observations import Observation

MARGIN: Final = 1.0
"""Points: orders whose true values are so close are as good as one another."""
MIN_PROBABILITY: Final = 0.05
"""Of being within `MARGIN` of the best, from which on an order is listed."""
CONFIDENCE: Final = 0.95
"""With which the best order is to be told from the rest, all of them together."""
MIN_OBSERVED: Final = 5
"""Orders; with fewer, what is said of all others is little more than the models' priors."""
NUM_SAMPLES: Final = 4096
"""Of the posterior: a probability is known to within 0.016 (two standard errors)."""


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What may be concluded from a search."""

    num_observed: int
    """Orders whose policy reached the compliance threshold, of 120: all that the conclusions rest on."""
    best: int
    """Id of the observed order with the highest posterior mean; the lowest of equals."""
    mean: float
    std: float
    """Of the best order's true value, in points."""
    within_one: tuple[float, ...]
    """By workflow id: probability that an order's true value is within `MARGIN` of the highest one. 0 for those that
    can't be the best: they were given up."""
    tied: tuple[TiedOrder, ...]
    """All orders with a probability of `MIN_PROBABILITY` or more, and the best; the likeliest first."""
    pairs: tuple[PairEffect, ...]
    """All ten, the clearest first."""
    settling: Settling

    @property
    def too_little(self) -> bool:
        """Fewer than `MIN_OBSERVED` orders are observed: best, ties and pairs say next to nothing."""
        return self.num_observed < MIN_OBSERVED


def report(
    observations: Sequence[Observation], eligible: npt.NDArray[np.bool_], rng: np.random.Generator
) -> SearchReport:
    """Return what may be concluded.

    Args:
        observations: At least one.
        eligible: `[120]` bool: which orders may be the best, the observed ones among them.
        rng: Samples the posterior.

    Raises:
        ValueError: There is no observation.
    """
    posterior = fit(observations)
    best = posterior.best
    values = sample(posterior, NUM_SAMPLES, rng)  # [num, 120], points
    within_one = _within_margin(values, eligible)
    listed = np.union1d(np.flatnonzero(within_one >= MIN_PROBABILITY), [best])
    by_probability = listed[np.argsort(-within_one[listed], kind="stable")]
    return SearchReport(
        num_observed=len(posterior.observed),
        best=best,
        mean=float(posterior.mean[best]),
        std=float(posterior.std[best]),
        within_one=tuple(within_one.tolist()),
        tied=tuple(
            TiedOrder(order_name(order), float(within_one[order]), observed=order in posterior.observed)
            for order in by_probability.tolist()
        ),
        pairs=_pair_effects(values),
        settling=_settling(observations, len(listed)),
    )


def episodes_to_settle(num_orders: int, episode_std: float) -> float:
    """Return the evaluation episodes per order that tell the best of some orders' policies from the rest.

    Two means differ by their true difference and an error of variance `2 * episode_std**2 / n` after `n` episodes each.
    A difference of `MARGIN` is to be told from none, with probability `CONFIDENCE` for all `num_orders - 1` comparisons
    with the best together (Bonferroni). With `z` the `1 - (1 - CONFIDENCE) / (num_orders - 1)` quantile of the normal
    distribution that is

        n = 2 z^2 episode_std^2 / MARGIN^2

    What orders say of one another is left out, so this is rather too many than too few.

    Args:
        num_orders: `>= 1`.
        episode_std: Of one episode's return, in points.

    Returns:
        Episodes per order, from the first; 0 for one order.
    """
    if num_orders == 1:
        return 0.0
    z = quantile(1 - (1 - CONFIDENCE) / (num_orders - 1))
    return 2 * (z * episode_std / MARGIN) * (z * episode_std / MARGIN)


def _within_margin(values: npt.NDArray[np.float64], eligible: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    highest = values[:, eligible].max(axis=1, keepdims=True)  # [num, 1]
    shares: npt.NDArray[np.float64] = np.where(eligible, (values >= highest - MARGIN).mean(axis=0), 0.0)
    return shares


def _pair_effects(values: npt.NDArray[np.float64]) -> tuple[PairEffect, ...]:
    """Return each pair's effect in a least-squares fit of all ten precedences to the values of all orders.

    The plain difference, mean value of the orders with `i` before `j` less that of the others, would not do: where one
    pair decides, it is a third as large for each of the six pairs that share a type with it, as these are
    correlated over the orders. Least squares gives them nothing.
    """
    # each pair stands either way round in half of the orders: without its mean, no constant is needed
    design = PRECEDENCES.astype(np.float64) - 0.5  # [120, 10], of full rank
    root = solve_lower(cholesky(product(design.T, design)), np.eye(NUM_PAIRS))
    effects = product(values, product(design, product(root.T, root)))  # [num, 10], points
    means, stds = effects.mean(axis=0), effects.std(axis=0)
    clearness = np.abs(means) / np.maximum(stds, np.finfo(float).tiny)

    def effect(pair: int) -> PairEffect:
        first, second = PAIRS[pair] if means[pair] >= 0 else PAIRS[pair][::-1]
        return PairEffect(
            HOST_TYPES[first],
            HOST_TYPES[second],
            mean=float(abs(means[pair])),
            std=float(stds[pair]),
            matters=bool(clearness[pair] > 2),
        )

    return tuple(effect(pair) for pair in np.argsort(-clearness, kind="stable").tolist())


def _settling(observations: Sequence[Observation], num_orders: int) -> Settling:
    measured = [each for each in observations if each.num_episodes and each.stderr]
    if not measured:
        return Settling(num_orders, None, None)
    episode_std = float(np.median([each.stderr * math.sqrt(each.num_episodes) for each in measured]))
    had = float(np.median([each.num_episodes for each in measured]))
    return Settling(num_orders, episode_std, max(0, math.ceil(episodes_to_settle(num_orders, episode_std) - had)))
