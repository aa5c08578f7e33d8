"""What came of the workflows so far, how far a search has come, and what it says is next: what its state looks like."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What came of a workflow so far."""

    UNDECIDED = "undecided"
    """Untried, or not given up although it has missed the threshold: it may be picked."""
    TRAINED = "trained"
    """It reached the threshold at its last visit. It may be picked again, to go on with its policy."""
    RETIRED = "retired"
    """It missed the threshold with all the episodes or patience that it may have: it is not picked again."""


@dataclass(frozen=True, slots=True)
class Pick:
    """The workflow to train next."""

    iteration: int
    """Visits begun before."""
    workflow_id: int
    """0 to 119."""
    ucb_score: float
    """`mean + beta * std`, in points; NaN while there is no observation to go by."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What an order is believed to be worth, as trained in the search."""

    workflow_id: int
    """0 to 119."""
    mean: float
    """Of the posterior, in points."""
    std: float
    """Of the order's true value, in points."""
    observed: bool
    """Its policy reached the threshold; False: it is believed so by what was seen of others."""


@dataclass(frozen=True, slots=True)
class SearchStatistics:
    """How far the search has come."""

    iteration: int
    """Visits finished."""
    num_undecided: int
    num_trained: int
    num_retired: int
    num_candidates: int
    """Workflows that may be picked: those not retired that have episodes left."""
    num_observations: int
    """Orders that the Gaussian process knows of."""
