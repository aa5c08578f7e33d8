"""The forkserver that workers are forked by: this project's own, beside the one that `multiprocessing` keeps.

The program that a pipeline lives in may use `multiprocessing` as well. Its forkserver, and what that preloads, are left
alone, whether it is up already or not. And its main module is not imported in workers: they need nothing of it, and it
may be none that can be imported again, from standard input, say, or of a notebook.

Elsewhere than on Linux workers are spawned, as `multiprocessing` does it.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
from multiprocessing import context, forkserver, popen_forkserver, reduction, spawn, util
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.workers.death import see_off

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
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
        if self.pid is not None and self.pid != self._answered_pid:
            os.kill(self.pid, signal.SIGKILL)

    def see_off(self) -> None:
        """Wait until one that could not be reached is gone, so that another one is started.

        One that is killed closes its socket a moment before it is gone, a long one on a busy machine. In it it is taken
        for alive, however often it is asked.
        """
        if self.pid is not None:
            see_off([self.pid])


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


class _Process(context.ForkServerProcess):
    @staticmethod
    def _Popen(process: BaseProcess) -> Any:  # noqa: N802  # multiprocessing's name for it
        return _Popen(process)


class _Context(context.ForkServerContext):
    Process = _Process


def worker_context() -> BaseContext:
    """Return the context in which workers are made. Never fork: it copies other threads' locks."""
    return _Context() if sys.platform == "linux" else multiprocessing.get_context("spawn")
