"""The attackers of a batch's games that are somebody's own, and not the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipeline.cage2.attackers.reference import is_reference, load_attacker
from pipeline.cage2.engine.red import ACTIONS, TARGETS
from pipeline.cage2.engine.red_side import RedSide
from pipeline.cage2.facts.names import require
from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.errors import TravellingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from pipeline.cage2.engine.state import Games
    from pipeline.cage2.facts.names import RedAgent

OUTSIDER = len(RED_AGENTS)
"""In the place of a game's agent: somebody's own, which compiled code knows nothing of."""


class UnsavedAttackerError(TravellingError, RuntimeError):
    """A game with an attacker of one's own is to be saved."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"games against {name} have no state() and branch(): what an attacker of one's own remembers is not the "
            "engine's to save. Copy the environment whole with copy.deepcopy"
        )


class Outsiders:
    """Which games of a batch have an attacker of somebody's own, and Red's side of those.

    Args:
        games: `[B]`.
        red_agent: Who attacks in all of them at first; see `set_red_agents`, for what is raised too.
    """

    def __init__(self, games: Games, red_agent: str) -> None:
        self._games = games
        self._makers: dict[str, Callable[..., Any]] = {}
        self._next = np.zeros(len(games), dtype=games["red_agent"].dtype)
        """`[B]`: who attacks from the next reset on, by the place in `RED_AGENTS`, or `OUTSIDER`."""
        self._names: dict[int, str] = {}
        """By index: who attacks from the next reset on, where that is none of the engine's."""
        self.sides: dict[int, RedSide] = {}
        """Red's side of the games that are being played against one, by index."""
        self.set_red_agents([red_agent] * len(games), range(len(games)))
        games["red_agent"] = self._next  # kernels that reset games themselves know nothing of this here

    def set_red_agents(self, red_agents: Sequence[str], indices: Sequence[int]) -> None:
        """Set who attacks in some games from their next reset on.

        Args:
            red_agents: `[n]`, each one of `spec.RED_AGENTS`, or one's own, which is loaded here.
            indices: `[n]`, which games.

        Raises:
            ValueError: One is none of those.
            AttackerNotFoundError: There is no such attacker of one's own.
        """
        for name, index in zip(red_agents, indices, strict=True):
            if is_reference(name):
                if name not in self._makers:
                    self._makers[name] = load_attacker(name)
                self._names[index] = name
                self._next[index] = OUTSIDER
            else:
                require("Red agent", name, RED_AGENTS)
                self._names.pop(index, None)
                self._next[index] = RED_AGENTS.index(cast("RedAgent", name))

    def reset(self, indices: Iterable[int], seeds: Sequence[int | None]) -> None:
        """Set in who attacks in `[n]` games whose episodes have just begun.

        Raises:
            AttackerError: One can't be made.
        """
        indices = list(indices)
        self._games["red_agent"][indices] = self._next[indices]
        for index in indices:
            self.sides.pop(index, None)
        try:
            for index, seed in zip(indices, seeds, strict=True):
                if name := self._names.get(index):
                    seed = None if seed is None else int(seed)
                    self.sides[index] = RedSide(self._games, index, name, self._makers[name], seed)
        except BaseException:
            self._games["num_steps"][indices] = -1  # nobody attacks in them
            raise

    def choose(self, moves: npt.NDArray[np.int64], resting: npt.NDArray[np.bool_] | None) -> None:
        """Write what they choose into `moves`, `[B, 3]`; those in games that rest are not asked.

        Raises:
            AttackerError: One failed.
        """
        for index, side in self.sides.items():
            if resting is None or not resting[index]:
                moves[index, 1:] = side.choose()

    def leave(self, indices: Iterable[int]) -> None:
        """Forget those of games that have just gone on from elsewhere, where attackers are the engine's."""
        indices = list(indices)
        self._next[indices] = self._games["red_agent"][indices]
        for index in indices:
            self.sides.pop(index, None)
            self._names.pop(index, None)

    def require_none(self, indices: Iterable[int]) -> None:
        """Check that games have none.

        Raises:
            UnsavedAttackerError: One has.
        """
        for index in indices:
            if index in self.sides:
                raise UnsavedAttackerError(self._names[index])


def check_moves(moves: npt.NDArray[np.int64]) -> None:
    """Check that each of `[B, 2]`, an action and its target, is one of Red's.

    Raises:
        ValueError: One is not.
    """
    for action, target in moves.tolist():
        if not 0 <= action < len(ACTIONS) or target not in TARGETS[action]:
            raise ValueError(f"action {action} on {target} is not one of Red's: see red.ACTIONS and red.TARGETS")
