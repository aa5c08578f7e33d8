"""Agents that are none of this project's, as they play in a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.facts import spec
from pipeline.defenders.randomness import seed_generators
from pipeline.trace.blue import Decision
from pipeline.trace.seen import in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from pipeline.cage2.facts.compliance import Verdicts
    from pipeline.contest.entry import Entry
    from pipeline.defenders.defender import Defender
    from pipeline.defenders.shown import ShownGame
    from pipeline.trace.trace import Seen


class _Guest:
    """What all have in common: they follow no workflow, and what is told of what they saw is the table."""

    verdicts: Verdicts | None = None
    draws = False
    _table: npt.NDArray[np.int8]

    def saw(self) -> Seen:
        """See `Blue.saw`."""
        return in_words(self._table)

    def see(self, table: npt.NDArray[np.int8]) -> None:
        """See `Blue.see`."""
        self._table = table


class EntryBlue(_Guest):
    """One of the contest's own baselines.

    Args:
        entry: Which.
    """

    def __init__(self, entry: Entry) -> None:
        self._agent = entry.agent
        self.draws = entry.draws

    def begin(self, num_steps: int, environment_seed: int, actions_seed: int, table: npt.NDArray[np.int8]) -> None:
        """See `Blue.begin`."""
        self._table = table
        self._agent.begin(num_steps)

    def decide(self) -> Decision:
        """See `Blue.decide`."""
        action = self._agent.act(self._table.astype(np.int64), None)
        return Decision(spec.ACTION_NAMES[action], action, None, {})

    def end(self) -> None:
        """See `Blue.end`."""
        self._agent.end()


class DefenderBlue(_Guest):
    """An agent that others wrote.

    It plays a game of its own, of the same seed, which is a step ahead of the one that is written down: the same game,
    for a game is a function of its seed and of Blue's actions.

    Args:
        defender: Who plays.
        shown: The game as it is shown to it.
        note_step: Called with each step before it is asked, -1 for the beginning, and with their number at the end.
    """

    def __init__(self, defender: Defender, shown: ShownGame, note_step: Callable[[int], None] = lambda _: None) -> None:
        self._defender = defender
        self._shown = shown
        self._note_step = note_step
        self._observation: Any = None

    def begin(self, num_steps: int, environment_seed: int, actions_seed: int, table: npt.NDArray[np.int8]) -> None:
        """See `Blue.begin`."""
        self._table, self._num_steps = table, 0
        seed_generators(actions_seed)
        self._note_step(-1)
        self._observation = self._shown.reset(environment_seed)
        self._defender.begin(num_steps)

    def decide(self) -> Decision:
        """See `Blue.decide`."""
        self._note_step(self._num_steps)
        self._num_steps += 1
        chosen = self._defender.act(self._observation, self._shown.view)
        self._observation, _, action = self._shown.step(chosen)
        return Decision(spec.ACTION_NAMES[action], action, None, {})

    def end(self) -> None:
        """See `Blue.end`."""
        self._note_step(self._num_steps)
        self._defender.end()
