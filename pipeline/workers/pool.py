"""A `ProcessPoolExecutor` that survives the death of its processes.

```
 call -> run_in_executor -> pool 0: workers -> answer
                              x  one dies, the standard pool is broken for good: all in it are seen off
 WorkersDiedError <-----------+
 call -> run_in_executor -> pool 1: workers -> answer
```

The dead pool's processes are all gone before another one is made, so that nobody writes to memory that is handed out
again. Who is to blame, and what is called again, is the caller's: it is told which processes died of themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from signal import SIGCONT, SIGKILL, SIGTERM
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pipeline.workers.birth import START_TIMEOUT_S, WorkersDidNotStartError, block_ctrl_c, ready
from pipeline.workers.death import Handle, WorkersDiedError, dump_and_kill, see_off
from pipeline.workers.forkserver import FORKSERVER, MAX_FORKSERVERS, ForkserverDiedError, WorkerContext, WorkerProcess
from pipeline.workers.roll import Roll, initialize

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import BaseContext

Answer = TypeVar("Answer")


class Pool:
    """Worker processes that are replaced, all of them, whenever one dies."""

    def __init__(self, num_workers: int, initializer: Callable[..., None], *arguments: Any) -> None:
        """Prepare; nothing is started yet.

        Args:
            num_workers: Processes.
            initializer: What each calls first. It must not raise, which would break the pool and hide the reason.
            arguments: The initializer's.
        """
        self._num_workers = num_workers
        self._initializer = initializer
        self._arguments = arguments
        self._processes: list[WorkerProcess] = []
        self._roll = Roll()
        self._executor = self._new_executor()
        self._generation = 0
        self._casualties: frozenset[int] = frozenset()
        self._replacing = asyncio.Lock()
        self._is_starting = False
        self._end: Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cage2-pool")

    @property
    def max_tasks(self) -> int:
        """Calls that are worth making at a time: one being answered and one waiting, per worker."""
        return 2 * self._num_workers

    @property
    def num_rebuilds(self) -> int:
        """Times that the workers were replaced."""
        return self._generation

    @property
    def num_alive(self) -> int:
        """Worker processes that run now."""
        # not by asking the processes: of two threads that do, one gets the exit code and the other a wrong one
        return sum(not handle.is_gone() for handle in _handles(self._processes))

    async def start(self) -> None:
        """Start the forkserver and the workers, and wait for the first that is ready.

        Off the loop, because the forkserver imports all that workers need before it answers. A worker that dies at it
        is not told here: the first call finds the pool broken, and has it replaced.

        Raises:
            ForkserverDiedError: If the forkserver itself died at it.
        """
        with contextlib.suppress(BrokenProcessPool):
            await self._start_workers()

    async def call(self, function: Callable[..., Answer], *arguments: Any) -> Answer:
        """Have a worker call a function, which workers can import, and return what it answers.

        Cancelling it abandons the wait, not the call; `close` ends that.

        Raises:
            WorkersDiedError: If the pool broke. Its processes are all gone by then, and new ones have started.
            ForkserverDiedError: If these could not be started.
            WorkersDidNotStartError: If none of them was ready in time.
            Exception: What the function raised.
        """
        async with self._replacing:  # a pool whose workers are being started is not to be given anything yet
            generation, executor = self._generation, self._executor
            # looked for whenever there is something to do, for only then anybody is missed
            await self._see_to(self._roll.missing(_handles(self._processes)))
        try:
            asked = asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
            asked.add_done_callback(_look_at)
            return await asyncio.shield(asked)  # a pool that breaks stumbles over futures that were cancelled
        except BrokenProcessPool:
            async with self._replacing:
                if generation == self._generation:
                    await self._replace()
            raise WorkersDiedError(generation, self._casualties) from None

    async def kill(self, pid: int | None) -> bool:
        """Kill a worker that hangs, after it has written down its stack; all calls then raise `WorkersDiedError`.

        Those that are being started are left alone: they have been given nothing yet.

        Args:
            pid: Which, or None for all.

        Returns:
            Whether anybody was killed.
        """
        if self._is_starting:
            return False
        suspects = [handle for handle in _handles(self._processes) if pid in (None, handle.pid)]
        suspects = [handle for handle in suspects if not handle.is_gone()]
        await self._see_to(suspects)
        return bool(suspects)

    async def close(self) -> None:
        """End all workers at once, whatever they do, and wait until they are gone. May be repeated."""
        if self._end is None:
            for handle in _handles(self._processes):
                handle.send(SIGKILL)
            if self._is_starting:
                FORKSERVER.abandon_start()  # or the thread would wait until it has compiled and imported everything
            self._end = self._thread.submit(_shut_down, self._executor, self._processes)
            self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(self._end))

    async def _see_to(self, suspects: list[Handle]) -> None:
        """Have workers write down their stacks and end."""
        for process in self._processes:
            if process.handle in suspects:  # or the executor would, with the first gone: others have yet to write
                process.terminate = _leave_alone  # type: ignore[method-assign]
        await dump_and_kill(suspects)

    async def _start_workers(self) -> None:
        """Start them off the loop, and wait for the first that is ready."""

        def start() -> None:
            block_ctrl_c()
            executor = self._executor
            executor.submit(ready).result()
            # all have been started by now, and only they answer: as long as this process could as well, a worker that
            # is killed in the midst of a long answer would leave the pool waiting for its end for ever
            executor._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001

        self._is_starting = True
        for attempt in range(MAX_FORKSERVERS):
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, start)
                self._is_starting = False
                return
            except BrokenProcessPool:
                self._is_starting = False
                raise
            except (EOFError, ConnectionError) as error:  # another one is started when it is asked again
                if attempt == MAX_FORKSERVERS - 1:
                    raise ForkserverDiedError from error
                await asyncio.get_running_loop().run_in_executor(self._thread, FORKSERVER.see_off)
                await self._renew()

    async def _replace(self) -> None:
        processes = await self._renew()
        # the executor ends the survivors of a broken pool by SIGTERM: any other end was a worker's own
        self._casualties = frozenset(
            process.pid for process in processes if process.pid and process.exitcode != -SIGTERM
        )
        self._generation += 1
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._start_workers()
        except BrokenProcessPool:
            pass  # the next call will find it broken
        except TimeoutError:
            raise WorkersDidNotStartError from None

    async def _renew(self) -> list[WorkerProcess]:
        """See off the workers, and make another executor, with nobody in it yet; return the workers that there were."""
        broken, processes = self._executor, self._processes
        await asyncio.get_running_loop().run_in_executor(self._thread, _shut_down, broken, processes)
        self._processes, self._roll = [], Roll()
        self._executor = self._new_executor()
        return processes

    def _new_executor(self) -> ProcessPoolExecutor:
        recording = _Recording(self._processes)
        return ProcessPoolExecutor(
            self._num_workers,
            mp_context=cast("BaseContext", recording),  # it is one in all that the executor asks of it
            initializer=initialize,
            initargs=(self._roll.tells, self._initializer, *self._arguments),
        )


class _Recording:
    """A multiprocessing context that remembers the processes made through it: the executor keeps its own to itself.

    It also has the executor start all its processes before it begins to watch them, as it does for those that are
    forked. One that it starts later, when a task needs it, is added to those it watches only after the next task or
    result: if it dies before, nobody notices.
    """

    def __init__(self, processes: list[WorkerProcess]) -> None:
        self._context = WorkerContext()
        self._processes = processes

    def Process(self, *args: Any, **kwargs: Any) -> WorkerProcess:  # noqa: N802  # the context's name for it
        process = WorkerProcess(*args, **kwargs)
        self._processes.append(process)
        return process

    def get_start_method(self, allow_none: bool = False) -> str:  # as the context's
        """Return what makes the executor start all processes at once; `Process` is the context's own."""
        return "fork"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _look_at(asked: asyncio.Future[Any]) -> None:
    """Note how a call ended that nobody waits for any more, or the loop would complain about it."""
    if not asked.cancelled():
        asked.exception()


def _leave_alone() -> None:
    """Do nothing: who hangs is seen to elsewhere."""


def _handles(processes: list[WorkerProcess]) -> list[Handle]:
    """Return those of processes that have been started."""
    return [process.handle for process in processes if process.handle is not None]


def _shut_down(executor: ProcessPoolExecutor, processes: list[WorkerProcess]) -> None:
    for handle in _handles(processes):
        handle.send(SIGCONT)  # one that is stopped would not hear that it is to end
    executor.shutdown(wait=True, cancel_futures=True)
    see_off(_handles(processes))
