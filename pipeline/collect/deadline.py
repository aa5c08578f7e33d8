"""How long an episode may take before its worker counts as hung: learned from those that ended. No I/O, no clock."""

from __future__ import annotations

from collections import deque

import numpy as np

QUANTILE = 0.99
FACTOR = 20.0
"""Times the quantile that an episode may take: load may slow one down, but hardly by so much more than the others."""
MIN_S = 10.0
"""What an episode may take at least: a swapped-out worker is no hung one."""
FIRST_S = 120.0
"""What an episode may take before any has ended: environments are being built."""
WINDOW = 512
"""Episodes that the quantile is taken over, so that it follows the machine's load and the game."""
_REFRESH = 32
"""Episodes between two looks at the quantile."""


class Deadline:
    """The longest time that an episode may take, by the running quantile of recent ones."""

    def __init__(self) -> None:
        self._recent_s: deque[float] = deque(maxlen=WINDOW)
        self._quantile_s: float | None = None
        self._num_noted = 0

    def note(self, duration_s: float) -> None:
        """Note how long an episode took, seconds."""
        self._recent_s.append(duration_s)
        if self._num_noted % _REFRESH == 0:
            self._quantile_s = float(np.quantile(self._recent_s, QUANTILE))
        self._num_noted += 1

    def limit_s(self, num_episodes: int = 1) -> float:
        """Return what a number of episodes, one after the other, may take, seconds."""
        if self._quantile_s is None:
            return FIRST_S
        return max(MIN_S, FACTOR * self._quantile_s * num_episodes)
