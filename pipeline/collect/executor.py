"""Workers in a `ProcessPoolExecutor`, one that survives the death of its processes.

The standard pool stays broken once a worker has died. This one is replaced: the dead pool's processes are seen off
first, so that nobody writes to a slot that is leased again.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from signal import SIGTERM
from typing import TYPE_CHECKING, Any, cast

from pipeline.collect.processes import (
    ForkserverDiedError,
    WorkersDiedError,
    block_ctrl_c,
    dump_and_kill,
    ready,
    see_off,
    worker_context,
)

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

    from pipeline.collect.transport import Transport


class ExecutorCollector:
    """Plays leased slots on worker processes, through `loop.run_in_executor`."""

    def __init__(self, transport: Transport, num_workers: int) -> None:
        """Args: transport: how episodes travel. num_workers: processes."""
        self._transport = transport
        self._num_workers = num_workers
        self._context = worker_context()
        self._processes: list[BaseProcess] = []
        self._pool = self._new_pool()
        self._generation = 0
        self._casualties: frozenset[int] = frozenset()
        self._replacing = asyncio.Lock()
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cage2-pool")

    @property
    def max_tasks(self) -> int:
        """Tasks that are worth submitting at a time: one being played and one waiting, per worker."""
        return 2 * self._num_workers

    @property
    def num_rebuilds(self) -> int:
        """Times that a broken pool was replaced."""
        return self._generation

    @property
    def num_alive(self) -> int:
        """Worker processes that run now."""
        return sum(process.is_alive() for process in self._processes)

    async def start(self) -> None:
        """Start the forkserver and the workers.

        Off the loop, because the forkserver imports all that workers need before it answers. A worker that dies at it
        is not told here: the first task finds the pool broken, and replaces it.

        Raises:
            ForkserverDiedError: If the forkserver itself died at it.
        """
        with contextlib.suppress(BrokenProcessPool):
            await self._start_workers()

    async def play(self, slots: tuple[int, ...]) -> None:
        """Have a worker play leased slots; it marks those that it fills, and writes to the others why it couldn't.

        Raises:
            WorkersDiedError: If the pool broke. Its processes are all gone by then, and new ones ready to start.
        """
        generation = self._generation
        call, arguments = self._transport.task(slots)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)
        except BrokenProcessPool:
            async with self._replacing:
                if generation == self._generation:
                    await self._replace()
            raise WorkersDiedError(generation, self._casualties) from None
        self._transport.deliver(slots, answer)

    async def kill(self, slots: tuple[int, ...]) -> None:
        """Kill the worker that holds a task, or all where nobody is told which; see `Collector.kill`."""
        pid = self._transport.player(slots)
        suspects = [process for process in self._processes if process.pid and pid in (None, process.pid)]
        await dump_and_kill([process.pid for process in suspects if process.pid and process.is_alive()])

    async def close(self) -> None:
        """End all workers at once and wait until they are gone. Slots that were being written stay as they are."""
        if self._closed:
            return
        self._closed = True
        for process in self._processes:
            if process.is_alive():
                process.kill()
        await asyncio.get_running_loop().run_in_executor(self._thread, _shut_down, self._pool, self._processes)
        self._thread.shutdown(wait=False)

    async def _start_workers(self) -> None:
        """Start them off the loop, and wait for the first that is ready."""

        def start() -> None:
            block_ctrl_c()
            self._pool.submit(ready).result()

        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, start)
        except (EOFError, ConnectionError) as error:
            raise ForkserverDiedError from error

    async def _replace(self) -> None:
        broken, processes = self._pool, self._processes
        await asyncio.get_running_loop().run_in_executor(self._thread, _shut_down, broken, processes)
        # the executor ends the survivors of a broken pool by SIGTERM: any other end was a worker's own
        self._casualties = frozenset(
            process.pid for process in processes if process.pid and process.exitcode not in (0, -SIGTERM)
        )
        self._processes = []
        self._pool = self._new_pool()
        self._generation += 1
        with contextlib.suppress(BrokenProcessPool):  # the next task will find it broken
            await self._start_workers()

    def _new_pool(self) -> ProcessPoolExecutor:
        recording = _Recording(self._context, self._processes)
        initializer, arguments = self._transport.initializer
        return ProcessPoolExecutor(
            self._num_workers,
            mp_context=cast("BaseContext", recording),  # it is one in all that the pool asks of it
            initializer=initializer,
            initargs=arguments,
        )


class _Recording:
    """A multiprocessing context that remembers the processes made through it: the pool keeps its own to itself.

    It also has the pool start all its processes before it begins to watch them, as it does for those that are forked.
    One that it starts later, when a task needs it, is added to those it watches only after the next task or result: if
    it dies before, nobody notices.
    """

    def __init__(self, context: BaseContext, processes: list[BaseProcess]) -> None:
        self._context = context
        self._processes = processes

    def Process(self, *args: Any, **kwargs: Any) -> BaseProcess:  # noqa: N802  # the context's name for it
        process: BaseProcess = self._context.Process(*args, **kwargs)  # type: ignore[attr-defined]  # all have it
        self._processes.append(process)
        return process

    def get_start_method(self, allow_none: bool = False) -> str:  # as the context's
        """Return what makes the pool start all processes at once; `Process` is the context's own."""
        return "fork"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _shut_down(pool: ProcessPoolExecutor, members: list[BaseProcess]) -> None:
    pool.shutdown(wait=True, cancel_futures=True)
    see_off([process.pid for process in members if process.pid])
