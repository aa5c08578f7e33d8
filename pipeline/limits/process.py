"""Decision processes that are small enough to be solved exactly.

state -- Blue decides, at a cost --> afterstate -- chance decides, at a cost --> state of the next step

Costs are in tenths of a point, as the game counts them; values are in points, and none is above 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from pipeline.cage2.facts.spec import RESTORE_TENTHS

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    import numpy.typing as npt


class Decision(NamedTuple):
    """What Blue may do in a state."""

    cost: float
    after: Any
    """The afterstate, hashable, which says all that matters of the state and of what Blue did."""


class Outcome(NamedTuple):
    """What may come of an afterstate."""

    probability: float
    cost: float
    state: Any
    """The state of the next step, hashable."""
    owed: int = 0
    """A cost of each step that is still to come, of which a Restore buys Blue off."""


class Process(Protocol):
    """A process: where it starts, what Blue may do, what comes of it."""

    @property
    def start(self) -> Any:
        """Return the state that it starts in."""

    def decisions(self, state: Any) -> Iterable[Decision]:
        """Return what Blue may do, one decision or more."""

    def outcomes(self, after: Any) -> Iterable[Outcome]:
        """Return what may come of an afterstate; probabilities add up to 1."""


class Solution:
    """The optimum of a process for every state that can be reached, and every number of steps left."""

    def __init__(self, process: Process, num_steps: int) -> None:
        self._places: dict[Hashable, int] = {process.start: 0}
        decisions: list[Decision] = []
        outcomes: list[Outcome] = []
        afters: dict[Hashable, int] = {}
        first_decisions, first_outcomes = [], []
        for state in (reached := [process.start]):
            first_decisions.append(len(decisions))
            decisions += process.decisions(state)
            for decision in decisions[first_decisions[-1] :]:
                if decision.after in afters:
                    continue
                afters[decision.after] = len(afters)
                first_outcomes.append(len(outcomes))
                outcomes += (outcome for outcome in process.outcomes(decision.after) if outcome.probability > 0)
                for outcome in outcomes[first_outcomes[-1] :]:
                    if outcome.state not in self._places:
                        self._places[outcome.state] = len(reached)
                        reached.append(outcome.state)
        self._decisions = decisions
        self._first_decisions = np.array([*first_decisions, len(decisions)])
        costs = np.array([decision.cost for decision in decisions])
        after = np.array([afters[decision.after] for decision in decisions])
        self._values = np.zeros((num_steps + 1, len(reached)))  # [steps left, state], in tenths
        self._best = np.zeros((num_steps + 1, len(reached)), dtype=np.int32)
        chances = _Chances(outcomes, np.array(first_outcomes), self._places)
        for left in range(1, num_steps + 1):
            of_decisions = chances.mean(self._values[left - 1], left)[after] - costs
            best = np.maximum.reduceat(of_decisions, self._first_decisions[:-1])
            self._values[left] = best
            of_states = np.repeat(np.arange(len(reached)), np.diff(self._first_decisions))
            is_best = np.flatnonzero(of_decisions == best[of_states])
            self._best[left, of_states[is_best[::-1]]] = is_best[::-1]

    def __len__(self) -> int:
        """Return how many states can be reached."""
        return len(self._places)

    def value(self, state: Hashable, steps_left: int) -> float:
        """Return the most that Blue can expect, in points, from a state that can be reached."""
        return float(self._values[steps_left, self._places[state]]) / 10

    def decision(self, state: Hashable, steps_left: int) -> Decision:
        """Return the first decision by which Blue can expect as much."""
        return self._decisions[int(self._best[steps_left, self._places[state]])]


class _Chances:
    """The outcomes of all afterstates, as arrays."""

    def __init__(self, outcomes: list[Outcome], firsts: npt.NDArray[np.int64], places: dict[Hashable, int]) -> None:
        self._firsts = firsts
        self._probabilities = np.array([outcome.probability for outcome in outcomes])
        self._costs = np.array([outcome.cost for outcome in outcomes])
        self._owed = np.array([outcome.owed for outcome in outcomes])
        self._states = np.array([places[outcome.state] for outcome in outcomes])
        totals = np.add.reduceat(self._probabilities, firsts)
        if not np.allclose(totals, 1, rtol=0, atol=1e-9):
            raise ValueError(f"probabilities add up to {totals.min()} to {totals.max()}, not to 1")

    def mean(self, values: npt.NDArray[np.float64], steps_left: int) -> npt.NDArray[np.float64]:
        """Return the value of every afterstate, of values of the states one step later."""
        debts = np.minimum(RESTORE_TENTHS, self._owed * (steps_left - 1))
        return np.add.reduceat(self._probabilities * (values[self._states] - self._costs - debts), self._firsts)
