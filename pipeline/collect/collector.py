"""What every way of collecting episodes has in common."""

from __future__ import annotations

from typing import Protocol


class Collector(Protocol):
    """A way of collecting episodes: where they are played, and how they reach their slots.

    Methods differ in nothing else. Each plays what the slots' headers ask for, so each gives the same bits.
    """

    @property
    def max_tasks(self) -> int:
        """Tasks that are worth having in flight."""
        ...

    @property
    def num_alive(self) -> int:
        """Workers that run now."""
        ...

    @property
    def num_rebuilds(self) -> int:
        """Times that workers died and were replaced, those that died together counted once."""
        ...

    async def start(self) -> None:
        """Get ready to play.

        Raises:
            PipelineError: What is needed for it can't be had.
        """
        ...

    async def play(self, slots: tuple[int, ...]) -> None:
        """Play leased slots, all of one weight version: fill each, or write to its header why it failed.

        Cancelling it abandons the wait, not the episodes; `close` ends these.

        Raises:
            WorkersDiedError: Workers died. By then nobody writes any more to the slots that are not filled.
        """
        ...

    async def kill(self, slots: tuple[int, ...]) -> bool:
        """Kill the workers that hold a task, because it hangs; its `play` then raises `WorkersDiedError`.

        Args:
            slots: As they were given to `play`, of a task that has not ended.

        Returns:
            Whether anybody was killed.
        """
        ...

    async def close(self) -> None:
        """End all that plays, at once, and wait until it is gone. Nothing can be played any more."""
        ...
