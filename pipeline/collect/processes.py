"""Worker processes: how they are started, and what each does first."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing import parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.context import BaseContext

PRELOAD = "pipeline.collect.preload"
_PR_SET_PDEATHSIG = 1
GONE_S = 5.0
"""How long a process that was killed may take to be gone, at most."""
DUMP_S = 0.2
"""What a worker has to write down its stacks before it is killed; one that is stopped never will."""


class WorkersDiedError(RuntimeError):
    """Worker processes died while they held a task. They have been seen off and replaced; the task is given anew."""

    def __init__(self, generation: int, casualties: frozenset[int]) -> None:
        super().__init__(f"worker processes died: {sorted(casualties) or 'unknown'}")
        self.generation = generation
        """Which set of workers they belonged to, counted from 0. Those that replace them belong to a later one."""
        self.casualties = casualties
        """Process ids of those that died of themselves; others may have been ended with them."""


class ForkserverDiedError(PipelineError):
    """The process that starts workers died before it was ready."""

    def __init__(self) -> None:
        super().__init__("the process that starts the workers died at its start; was it killed, or is memory short?")


def worker_context() -> BaseContext:
    """Return the forkserver's context on Linux, spawn elsewhere; never fork, which copies other threads' locks."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context


def block_ctrl_c() -> None:
    """Block SIGINT in this thread, for it to start the forkserver from.

    Ctrl-C reaches every process of the terminal, and the forkserver ignores it only once it has imported all that
    workers need. It starts with this thread's mask; `preload` lifts it.
    """
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def become_worker(faults_path: str | None = None) -> None:
    """Do what a worker process does first.

    Args:
        faults_path: Where stacks go when this process crashes, or hangs and is told to write them (SIGUSR1).
    """
    if faults_path is not None:
        faults = open(faults_path, "ab", buffering=0)  # noqa: SIM115, PTH123  # for as long as the process lives
        faulthandler.enable(faults)
        faulthandler.register(signal.SIGUSR1, faults)
    else:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    if sys.platform == "linux":  # end with the forkserver too: without it nobody could say when this process ended
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    threadpool_limits(1)  # where preloading came too late to set the environment
    threading.Thread(target=_die_with_parent, name="cage2-parent-watch", daemon=True).start()


async def dump_and_kill(pids: Sequence[int]) -> None:
    """Have workers that hang write down their stacks, and kill them."""
    for pid in pids:
        _send(pid, signal.SIGUSR1)
    await asyncio.sleep(DUMP_S)
    for pid in pids:
        _send(pid, signal.SIGKILL)


def see_off(pids: Sequence[int]) -> None:
    """Wait until processes that are about to die are gone.

    When the forkserver dies, its workers' ends are told a moment before the kernel has ended them.
    """
    end_s = time.monotonic() + GONE_S
    while any(map(_is_running, pids)) and time.monotonic() < end_s:
        time.sleep(0.001)


def _is_running(pid: int) -> bool:
    """Whether there is such a process that is no zombie; False where the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def ready() -> int:
    """Return this worker's process id: proof that a worker has started."""
    return os.getpid()


def _die_with_parent() -> None:
    """End this process when the parent is gone, killed even: nobody else would."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
