"""One generator for the game and for whoever plays it: that of Python's `random`, as in CybORG.

CybORG draws from the generator of the module `random`, and so may an agent. The project's environments have generators
of their own; `OnRandom` lets one play on the module's.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt


class Game(Protocol):
    """A game whose generator can be looked at and replaced: `FastEnv`, `CyborgEnv`."""

    generator: Any
    """Where it stands, as `random.getstate()` has it."""

    def reset(self, seed: int | None, *, is_new: bool = False) -> npt.NDArray[np.int8]:
        """Start an episode; with None the generator goes on. See `FastEnv.reset`."""
        ...

    def step(self, action: int) -> tuple[npt.NDArray[np.int8], int]:
        """Play Blue's action, then Red's; see `Cage2Env.step`."""
        ...


class OnRandom:
    """A game that takes its numbers from Python's `random`: at each call from where that stands, and leaves it behind.

    To hand the generator over and back takes some 50 microseconds a step, and 90 if somebody has drawn.

    Args:
        game: Its own generator is of no matter.
    """

    def __init__(self, game: Game) -> None:
        self._game = game
        self._words: Any = None
        """Where the game has left the generator."""

    def reset(self, seed: int | None = None, *, is_new: bool = False) -> npt.NDArray[np.int8]:
        """Start an episode; see `FastEnv.reset`."""
        variate = self._take()
        observation = self._game.reset(seed, is_new=is_new)
        self._leave(variate if seed is None else None)
        return observation

    def step(self, action: int) -> tuple[npt.NDArray[np.int8], int]:
        """Play Blue's action, then Red's; see `Cage2Env.step`."""
        variate = self._take()
        outcome = self._game.step(action)
        self._leave(variate)
        return outcome

    def _take(self) -> float | None:
        """Let the game go on from where the generator stands; return what `random.gauss` keeps back and games don't."""
        _, words, variate = state = random.getstate()
        if words != self._words:  # somebody has drawn, which is seldom, and dearer than to look
            self._game.generator = state
        return variate  # type: ignore[no-any-return]  # a float or None

    def _leave(self, variate: float | None) -> None:
        version, self._words, _ = self._game.generator
        random.setstate((version, self._words, variate))


@contextmanager
def random_kept() -> Iterator[None]:
    """Put the generator of Python's `random` back at the end to where it stood."""
    kept = random.getstate()
    try:
        yield
    finally:
        random.setstate(kept)
