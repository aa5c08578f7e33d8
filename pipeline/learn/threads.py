"""The threads on which PPO runs: an update on each, and critics beside actors while some would be idle."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Executor


class LearnerThreads:
    """Shared by all learners of a run. Results don't depend on how many there are."""

    def __init__(self, updates: Executor, critics: Executor, num_threads: int) -> None:
        """Prepare to share.

        Args:
            updates: `num_threads` threads.
            critics: Others, half as many, for critics (`ppo.update`); they have to outlive the first.
            num_threads: `>= 1`.
        """
        self.updates = updates
        self._critics = critics
        self._num_threads = num_threads
        self.num_visits = 0
        """Visits in training, kept by the learners."""

    def helper(self) -> Executor | None:
        """Return where a critic may learn beside its actor, or None where that would take a thread from another."""
        return self._critics if 2 * self.num_visits <= self._num_threads else None
