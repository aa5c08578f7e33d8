"""Whole episodes on a pool of worker processes; how they travel is the transport's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.workers.pool import Pool

if TYPE_CHECKING:
    from pipeline.collect.transport import Transport


class ExecutorCollector:
    """Plays leased slots on worker processes, through `loop.run_in_executor`."""

    def __init__(self, transport: Transport, num_workers: int) -> None:
        """Args: transport: how episodes travel. num_workers: processes."""
        self._transport = transport
        initializer, arguments = transport.initializer
        self._pool = Pool(num_workers, initializer, *arguments)

    @property
    def max_tasks(self) -> int:
        """Tasks that are worth submitting at a time."""
        return self._pool.max_tasks

    @property
    def num_rebuilds(self) -> int:
        """Times that the workers were replaced."""
        return self._pool.num_rebuilds

    @property
    def num_alive(self) -> int:
        """Worker processes that run now."""
        return self._pool.num_alive

    async def start(self) -> None:
        """Start the workers; see `Pool.start`."""
        await self._pool.start()

    async def play(self, slots: tuple[int, ...]) -> None:
        """Have a worker play leased slots; it marks those that it fills, and writes to the others why it couldn't.

        Raises:
            WorkersDiedError: If workers died. They are all gone by then, and new ones have started.
            ForkserverDiedError: If these could not be started.
        """
        call, arguments = self._transport.task(slots)
        self._transport.deliver(slots, await self._pool.call(call, *arguments))

    async def kill(self, slots: tuple[int, ...]) -> bool:
        """Kill the worker that holds a task, or all where nobody is told which; see `Collector.kill`."""
        return await self._pool.kill(self._transport.player(slots))

    async def close(self) -> None:
        """End all workers at once and wait until they are gone. Slots that were being written stay as they are."""
        await self._pool.close()
