"""Which workflow to try next: the one with the highest upper confidence bound.

GP-UCB is Srinivas et al. (2010), "Gaussian Process Optimization in the Bandit Setting".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.errors import TravellingError

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.workflows.posterior import Posterior

_TIE: Final = 1e-9
"""Scores that differ by less than this, relative to their size, are equal but for rounding."""


class NoCandidatesError(TravellingError, ValueError):
    """There is no workflow to choose from."""

    def __init__(self) -> None:
        super().__init__(f"none of the {NUM_WORKFLOWS} workflows is a candidate: the search is over, don't choose")


@dataclass(frozen=True, slots=True)
class Choice:
    """The workflow to train next."""

    workflow_id: int
    ucb_score: float
    """`mean + beta * std`, in points; NaN if there was no observation to go by."""


def choose(
    posterior: Posterior | None, candidates: npt.NDArray[np.bool_], beta: float, rng: np.random.Generator
) -> Choice:
    """Return the candidate with the highest upper confidence bound; if several have it, one of them by lot.

    Args:
        posterior: What is believed, or None if nothing was observed: then any candidate is as good as another.
        candidates: `[120]` bool, which workflows may be chosen.
        beta: Standard deviations to add to the mean, `>= 0`.
        rng: Draws lots; used exactly once.

    Raises:
        NoCandidatesError: No workflow may be chosen.
    """
    ids = np.flatnonzero(candidates)
    if len(ids) == 0:
        raise NoCandidatesError
    if posterior is None:
        return Choice(int(rng.choice(ids)), math.nan)
    scores = posterior.mean + beta * posterior.std  # [120]
    best = scores[ids].max()
    tied = ids[scores[ids] >= best - _TIE * max(1.0, abs(best))]
    chosen = int(rng.choice(tied))
    return Choice(chosen, float(scores[chosen]))


def deal(
    posterior: Posterior | None,
    contenders: npt.NDArray[np.bool_],
    beta: float,
    num_episodes: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Return which workflow each of the next episodes is played with, where one policy learns all of them.

    Half of the episodes go round all 120 orders, because one policy learns each from the others, and because any of
    them may be the best yet. The other half goes round the contenders whose upper bound reaches the
    highest mean: all that may still be the best. Without a contender all episodes go round all orders. Each round
    deals its orders in a new shuffle, so that counts differ by one at most within each half.

    Args:
        posterior: What is believed, or None if nothing was observed.
        contenders: `[120]` bool, which workflows may turn out the best.
        beta: Standard deviations to add to the mean, `>= 0`.
        num_episodes: `B`, `>= 0`.
        rng: Shuffles.

    Returns:
        `[B]` int64, ids; in no particular order.
    """
    every = np.arange(NUM_WORKFLOWS)
    ids = np.flatnonzero(contenders)
    if posterior is None or len(ids) == 0:
        return _in_rounds(every, num_episodes, rng)
    promising = ids[(posterior.mean + beta * posterior.std)[ids] >= posterior.mean[ids].max()]
    num_everywhere = (num_episodes + 1) // 2
    dealt = [_in_rounds(every, num_everywhere, rng), _in_rounds(promising, num_episodes - num_everywhere, rng)]
    return rng.permutation(np.concatenate(dealt))


def _in_rounds(ids: npt.NDArray[np.int64], num: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return `num` of the ids, each as often as any other or once more."""
    num_rounds = -(-num // len(ids))
    return np.concatenate([ids[:0], *(rng.permutation(ids) for _ in range(num_rounds))])[:num]
