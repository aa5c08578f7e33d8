"""A run's time."""

from __future__ import annotations

import time


class Clock:
    """Runs from when a pipeline is entered, and knows when the run's first episode came."""

    def __init__(self) -> None:
        self._entered_s = time.monotonic()
        self.first_episode_s: float | None = None
        """From entering to the first episode; None while there is none."""

    @property
    def wall_s(self) -> float:
        """Seconds since the pipeline was entered."""
        return time.monotonic() - self._entered_s

    def note_episode(self) -> float | None:
        """Note that an episode has come; return its time if it is the first, in seconds since entering, else None."""
        if self.first_episode_s is not None:
            return None
        self.first_episode_s = self.wall_s
        return self.first_episode_s
