"""The forkserver that workers are forked by: this project's own, beside the one that `multiprocessing` keeps.

The program that a pipeline lives in may use `multiprocessing` as well. Its forkserver, and what that preloads, are left
alone, whether it is up already or not. And its main module is not imported in workers: they need nothing of it, and it
may be none that can be imported again, from standard input, say, or of a notebook.

Elsewhere than on Linux workers are spawned, as `multiprocessing` does it.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from multiprocessing import context, forkserver, popen_forkserver, reduction, spawn, util
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.workers import semaphores
from pipeline.workers.death import Handle, see_off

if sys.platform == "linux":
    from multiprocessing.context import ForkServerContext as _Context
    from multiprocessing.context import ForkServerProcess as _Process
else:
    from multiprocessing.context import SpawnContext as _Context
    from multiprocessing.context import SpawnProcess as _Process

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

PRELOAD = "pipeline.workers.preload"
MAX_FORKSERVERS = 3
"""That may die at their start, one after the other, before that counts as hopeless."""
_MAIN = ("init_main_from_name", "init_main_from_path")
"""What `multiprocessing` tells a process of the main module."""


class ForkserverDiedError(PipelineError):
    """The process that starts workers died before it was ready."""

    def __init__(self) -> None:
        super().__init__("the process that starts the workers died at its start; was it killed, or is memory short?")


class Forkserver(forkserver.ForkServer):
    """One of our own, which knows whether it is up."""

    def __init__(self) -> None:
        super().__init__()
        self.set_forkserver_preload([PRELOAD])
        self._answered_pid: int | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; None before it is started. It is this process's child, and nobody else has the id."""
        pid: int | None = self._forkserver_pid  # type: ignore[attr-defined]  # nobody else is told it
        return pid

    def note_answer(self) -> None:
        """Note that it is up: it has forked a process."""
        self._answered_pid = self.pid

    def abandon_start(self) -> None:
        """Kill it if it is not up yet. Who waits for it is told that it died, and starts another one if it likes to."""
        with self._lock:  # type: ignore[attr-defined]  # under which one that is dead is waited for
            if self.pid is not None and self.pid != self._answered_pid:
                os.kill(self.pid, signal.SIGKILL)

    def see_off(self) -> None:
        """Wait until one that could not be reached is gone, so that another one is started.

        One that is killed closes its socket a moment before it is gone, a long one on a busy machine. In it it is taken
        for alive, however often it is asked.
        """
        if self.pid is not None:
            see_off([Handle(self.pid)])


FORKSERVER = Forkserver()
"""This process's."""


class _Popen(popen_forkserver.Popen):
    """As `multiprocessing` has it, but for whom it asks and what it leaves out."""

    def _launch(self, process: BaseProcess) -> None:
        told = io.BytesIO()
        preparation = spawn.get_preparation_data(process.name)
        context.set_spawning_popen(self)
        try:
            reduction.dump({name: value for name, value in preparation.items() if name not in _MAIN}, told)
            reduction.dump(process, told)
        finally:
            context.set_spawning_popen(None)
        self.sentinel, pipe = FORKSERVER.connect_to_new_process(self._fds)  # type: ignore[attr-defined]  # of the class
        own_end = os.dup(pipe)  # it closes with this process: so the worker hears of its death
        self.finalizer = util.Finalize(self, util.close_fds, (own_end, self.sentinel))  # type: ignore[attr-defined]  # there is
        with open(pipe, "wb") as file:  # noqa: PTH123  # a descriptor has no path
            file.write(told.getbuffer())
        self.pid = forkserver.read_signed(self.sentinel)
        FORKSERVER.note_answer()


class WorkerProcess(_Process):
    """A process for whom no other one is taken that has its id by now, as `multiprocessing` does."""

    handle: Handle | None = None
    """None until it is started."""

    def start(self) -> None:
        """Start it."""
        super().start()
        assert self.pid is not None, "started"  # noqa: S101
        self.handle = Handle(self.pid)

    def terminate(self) -> None:
        """Have it end, if it runs."""
        if self.handle is not None:
            self.handle.send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self.handle is not None:
            self.handle.send(signal.SIGKILL)

    if sys.platform == "linux":

        @staticmethod
        def _Popen(process: BaseProcess) -> Any:  # noqa: N802  # multiprocessing's name for it
            return _Popen(process)


class WorkerContext(_Context):
    """The context in which workers are made. Never fork: it copies other threads' locks."""

    Process = WorkerProcess

    if sys.platform == "linux":

        def Lock(self) -> semaphores.Lock:  # noqa: N802  # multiprocessing's name for it
            """Return a lock by a name that tells whose it is."""
            return semaphores.Lock(ctx=self)

        def BoundedSemaphore(self, value: int = 1) -> semaphores.BoundedSemaphore:  # noqa: N802  # as above
            """Return a semaphore by a name that tells whose it is."""
            return semaphores.BoundedSemaphore(value, ctx=self)
