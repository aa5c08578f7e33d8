"""Who enters the contest: an agent, and how the contest's script treats it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Agent(Protocol):
    """A defender."""

    def begin(self, num_steps: int) -> None:
        """Begin an episode of so many steps."""
        ...

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        """Return what Blue does next.

        Args:
            observation: `[52]` in {0, 1}, as `ChallengeWrapper` shows it.
            view: Nothing here; elsewhere what there is to see besides.

        Returns:
            0 to 144, one of `spec.ACTION_NAMES`.
        """
        ...

    def end(self) -> None:
        """Hear that the episode is over."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """An agent that enters."""

    agent: Agent
    draws: bool = True
    """Whether it may draw from Python's `random`, which is the game's generator. If one is known not to, the generator
    needn't be handed over at each step."""
    num_resets: int = 1
    """How often the script resets the game before each episode: twice for an agent that isn't shown the wrapper's
    table, for which the wrapper is reset, and then CybORG itself."""
