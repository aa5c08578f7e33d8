"""How long an episode may take before its worker counts as hung, and which tasks do. No I/O, no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Flight:
    """A task in flight, by what its slots' headers tell. Times are seconds of one clock."""

    submitted_s: float
    heard_s: float
    """When a worker last began or ended one of its episodes; 0 if none has begun."""
    is_waiting: bool
    """Whether no worker has taken it up yet, so that it is no wonder while others get on."""
    limit_s: float
    """The time that it has until the next sign of life."""

    def is_overdue(self, now_s: float, others_heard_s: float) -> bool:
        """Whether it hangs.

        Args:
            now_s: The time.
            others_heard_s: When there was last a sign of life of any task: one landed, or an episode began or ended.
        """
        since_s = max(self.submitted_s, others_heard_s if self.is_waiting else self.heard_s)
        return now_s - since_s > self.limit_s


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
