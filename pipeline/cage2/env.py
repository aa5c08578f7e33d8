"""What an environment is to the rest of the pipeline: the game, one episode at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Cage2Env(Protocol):
    """One game of CAGE-2. Built once per worker, reset between episodes, never rebuilt."""

    def reset(self, seed: int) -> npt.NDArray[np.int8]:
        """Start an episode as `random.seed(seed)` followed by CybORG's `reset()` does.

        Returns:
            `[52]` int8 in {0, 1}: the Blue table as a vector, all zero at the start.
        """
        ...

    def step(self, action: int) -> tuple[npt.NDArray[np.int8], int]:
        """Play Blue's action, then Red's.

        Args:
            action: 0 to 144, in CybORG's order (`spec.ACTION_NAMES`).

        Returns:
            `(observation, reward)`: `[52]` int8, and Blue's reward in tenths of a point.
        """
        ...

    def red_hosts(self) -> int:
        """Return the hosts on which Red holds a session now, as bits in host order (bit 8 is User0)."""
        ...
