"""The attackers of a batch's games that are somebody's own, and not the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.attackers.reference import load
from pipeline.cage2.engine.red_side import RedSide
from pipeline.errors import TravellingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    from pipeline.cage2.engine.state import Games


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
    """

    def __init__(self, games: Games) -> None:
        self._games = games
        self._makers: dict[str, Callable[..., Any]] = {}
        self._names: dict[int, str] = {}
        """By index: who attacks from the next reset on, where that is none of the engine's."""
        self._sides: dict[int, RedSide] = {}

    def __bool__(self) -> bool:
        """Return whether a game is being played against one."""
        return bool(self._sides)

    def load(self, references: Iterable[str]) -> None:
        """Load attackers that may come.

        Raises:
            AttackerNotFoundError: There is none of that name.
        """
        for reference in references:
            if reference not in self._makers:
                self._makers[reference] = load(reference)

    def set(self, index: int, reference: str | None) -> None:
        """Set who attacks in a game from its next reset on; None: one of the engine's."""
        if reference is None:
            self._names.pop(index, None)
        else:
            self._names[index] = reference

    def reset(self, indices: Iterable[int], seeds: Sequence[int | None]) -> None:
        """Make the attackers of `[n]` games whose episodes have just begun.

        Raises:
            AttackerError: One can't be made.
        """
        for index, seed in zip(indices, seeds, strict=True):
            self._sides.pop(index, None)
            if name := self._names.get(index):
                seed = None if seed is None else int(seed)
                self._sides[index] = RedSide(self._games, index, name, self._makers[name], seed)

    def choose(self, moves: npt.NDArray[np.int64], resting: npt.NDArray[np.bool_] | None) -> None:
        """Write what they choose into `moves`, `[B, 3]`; those in games that rest are not asked.

        Raises:
            AttackerError: One failed.
        """
        for index, side in self._sides.items():
            if resting is None or not resting[index]:
                moves[index, 1:] = side.choose()

    def leave(self, indices: Iterable[int]) -> None:
        """Forget those of games that go on from elsewhere, where attackers are the engine's."""
        for index in indices:
            self._sides.pop(index, None)
            self._names.pop(index, None)

    def require_none(self, indices: Iterable[int]) -> None:
        """Check that games have none.

        Raises:
            UnsavedAttackerError: One has.
        """
        for index in indices:
            if index in self._sides:
                raise UnsavedAttackerError(self._names[index])
