"""Workers in a `ProcessPoolExecutor`, one that survives the death of its processes.

The standard pool stays broken once a worker has died. This one is replaced: the dead pool's processes are seen off
first, so that nobody writes to a slot that is leased again.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, cast

from pipeline.collect import worker
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.process import BaseProcess

PRELOAD = "pipeline.collect.preload"


class WorkersDiedError(RuntimeError):
    """Worker processes died while they held a task. The pool is whole again; the task has to be given anew."""

    def __init__(self, generation: int, casualties: frozenset[int]) -> None:
        super().__init__(f"worker processes died: {sorted(casualties) or 'unknown'}")
        self.generation = generation
        """Which pool they belonged to, counted from 0."""
        self.casualties = casualties
        """Process ids of those that died of themselves; the rest of their pool was ended with them."""


class ForkserverDiedError(PipelineError):
    """The process that starts workers died before it was ready."""

    def __init__(self) -> None:
        super().__init__("the process that starts the workers died at its start; was it killed, or is memory short?")


class ExecutorCollector:
    """Plays leased slots on worker processes, through `loop.run_in_executor`."""

    def __init__(self, spec: worker.WorkerSpec, num_workers: int) -> None:
        """Args: spec: what each worker is told. num_workers: processes, started as tasks need them."""
        self._spec = spec
        self._num_workers = num_workers
        self._context = _context()
        self._processes: list[BaseProcess] = []
        self._pool = self._new_pool()
        self._generation = 0
        self._casualties: frozenset[int] = frozenset()
        self._replacing = asyncio.Lock()
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
        """Start the forkserver and the first worker.

        Off the loop, because the forkserver imports all that workers need before it answers. A worker that dies at it
        is not told here: the first task finds the pool broken, and replaces it.

        Raises:
            ForkserverDiedError: If the forkserver itself died at it.
        """
        loop = asyncio.get_running_loop()
        try:
            with contextlib.suppress(BrokenProcessPool):
                await loop.run_in_executor(self._thread, self._start_first_worker)
        except (EOFError, ConnectionError) as error:
            raise ForkserverDiedError from error

    async def play(self, slots: tuple[int, ...]) -> None:
        """Have a worker play leased slots; it marks those that it fills, and writes to the others why it couldn't.

        Raises:
            WorkersDiedError: If the pool broke. Its processes are all gone by then, and new ones ready to start.
        """
        generation = self._generation
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, worker.play, slots)
        except BrokenProcessPool:
            async with self._replacing:
                if generation == self._generation:
                    await self._replace()
            raise WorkersDiedError(generation, self._casualties) from None

    async def close(self) -> None:
        """End all workers at once and wait until they are gone. Slots that were being written stay as they are."""
        for process in self._processes:
            if process.is_alive():
                process.kill()
        await asyncio.get_running_loop().run_in_executor(self._thread, _shut_down, self._pool)
        self._thread.shutdown(wait=False)

    def _start_first_worker(self) -> None:
        # Ctrl-C reaches every process of the terminal, and the forkserver ignores it only once it has imported all that
        # workers need. It starts with this thread's mask; `preload` lifts it.
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self._pool.submit(worker.ready).result()

    async def _replace(self) -> None:
        broken, processes = self._pool, self._processes
        await asyncio.get_running_loop().run_in_executor(self._thread, _shut_down, broken)
        # the executor ends the survivors of a broken pool by SIGTERM: any other end was a worker's own
        self._casualties = frozenset(
            process.pid for process in processes if process.pid and process.exitcode not in (0, -signal.SIGTERM)
        )
        self._processes = []
        self._pool = self._new_pool()
        self._generation += 1

    def _new_pool(self) -> ProcessPoolExecutor:
        recording = _Recording(self._context, self._processes)
        return ProcessPoolExecutor(
            self._num_workers,
            mp_context=cast("BaseContext", recording),  # it is one in all that the pool asks of it
            initializer=worker.initialize,
            initargs=(self._spec,),
        )


class _Recording:
    """A multiprocessing context that remembers the processes made through it: the pool keeps its own to itself."""

    def __init__(self, context: BaseContext, processes: list[BaseProcess]) -> None:
        self._context = context
        self._processes = processes

    def Process(self, *args: Any, **kwargs: Any) -> BaseProcess:  # noqa: N802  # the context's name for it
        process: BaseProcess = self._context.Process(*args, **kwargs)  # type: ignore[attr-defined]  # all have it
        self._processes.append(process)
        return process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def _context() -> BaseContext:
    """Return the forkserver's context on Linux, spawn elsewhere; never fork, which copies other threads' locks."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context


def _shut_down(pool: ProcessPoolExecutor) -> None:
    pool.shutdown(wait=True, cancel_futures=True)
