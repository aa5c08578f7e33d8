"""Workers in a `ProcessPoolExecutor`, one that survives the death of its processes.

The standard pool stays broken once a worker has died. This one is replaced: the dead pool's processes are seen off
first, so that nobody writes to a slot that is leased again.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from signal import SIGTERM
from typing import TYPE_CHECKING, Any, cast

from pipeline.workers.processes import (
    MAX_FORKSERVERS,
    ForkserverDiedError,
    WorkersDiedError,
    block_ctrl_c,
    dump_and_kill,
    exists,
    ready,
    see_off,
    see_off_forkserver,
    wake,
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
        self._end: Future[None] | None = None
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
        # not by asking the processes: of two threads that do, one gets the exit code and the other a wrong one
        return sum(exists(process.pid) for process in self._processes if process.pid)

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
            WorkersDiedError: If the pool broke. Its processes are all gone by then, and new ones have started.
            ForkserverDiedError: If these could not be started.
        """
        async with self._replacing:  # a pool whose workers are being started is not to be given anything yet
            generation, pool = self._generation, self._pool
        call, arguments = self._transport.task(slots)
        try:
            asked = asyncio.get_running_loop().run_in_executor(pool, call, *arguments)
            asked.add_done_callback(_look_at)
            answer = await asyncio.shield(asked)  # a pool that breaks stumbles over futures that were cancelled
        except BrokenProcessPool:
            async with self._replacing:
                if generation == self._generation:
                    await self._replace()
            raise WorkersDiedError(generation, self._casualties) from None
        self._transport.deliver(slots, answer)

    async def kill(self, slots: tuple[int, ...]) -> bool:
        """Kill the worker that holds a task, or all where nobody is told which; see `Collector.kill`."""
        player = self._transport.player(slots)
        suspects = {
            process.pid: process
            for process in self._processes
            if process.pid and player in (None, process.pid) and exists(process.pid)
        }
        for process in suspects.values():  # the pool ends all when the first is gone: the others have yet to write
            process.terminate = _leave_alone  # type: ignore[method-assign]
        await dump_and_kill(list(suspects))
        return bool(suspects)

    async def close(self) -> None:
        """End all workers at once and wait until they are gone. Slots that were being written stay as they are."""
        if self._end is None:
            for process in self._processes:
                if process.is_alive():
                    process.kill()
            self._end = self._thread.submit(_shut_down, self._pool, self._processes)
            self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(self._end))

    async def _start_workers(self) -> None:
        """Start them off the loop, and wait for the first that is ready."""

        def start() -> None:
            block_ctrl_c()
            pool = self._pool
            pool.submit(ready).result()
            # all have been started by now, and only they answer: as long as this process could as well, a worker that
            # is killed in the midst of a long answer would leave the pool waiting for its end for ever
            pool._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001

        for attempt in range(MAX_FORKSERVERS):
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, start)
                return
            except (EOFError, ConnectionError) as error:  # multiprocessing starts another one when it is asked again
                if attempt == MAX_FORKSERVERS - 1:
                    raise ForkserverDiedError from error
                await asyncio.get_running_loop().run_in_executor(self._thread, see_off_forkserver)
                await self._renew()

    async def _replace(self) -> None:
        processes = await self._renew()
        # the executor ends the survivors of a broken pool by SIGTERM: any other end was a worker's own
        self._casualties = frozenset(
            process.pid for process in processes if process.pid and process.exitcode != -SIGTERM
        )
        self._generation += 1
        with contextlib.suppress(BrokenProcessPool):  # the next task will find it broken
            await self._start_workers()

    async def _renew(self) -> list[BaseProcess]:
        """See off the pool, and make another one, with nobody in it yet; return the processes that there were."""
        broken, processes = self._pool, self._processes
        await asyncio.get_running_loop().run_in_executor(self._thread, _shut_down, broken, processes)
        self._processes = []
        self._pool = self._new_pool()
        return processes

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


def _look_at(asked: asyncio.Future[Any]) -> None:
    """Note how a task ended that nobody waits for any more, or the loop would complain about it."""
    if not asked.cancelled():
        asked.exception()


def _leave_alone() -> None:
    """Do nothing: who hangs is seen to elsewhere."""


def _shut_down(pool: ProcessPoolExecutor, members: list[BaseProcess]) -> None:
    wake([process.pid for process in members if process.pid])  # one that is stopped would not hear that it is to end
    pool.shutdown(wait=True, cancel_futures=True)
    see_off([process.pid for process in members if process.pid])
