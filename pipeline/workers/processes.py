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
from multiprocessing import forkserver, parent_process
from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from pipeline.errors import PipelineError, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.context import BaseContext

PRELOAD = "pipeline.workers.preload"
_PR_SET_PDEATHSIG = 1
START_TIMEOUT_S = 300.0
"""For the first worker to be ready, on a machine that compiles the engine slowly and does much else."""
MAX_FORKSERVERS = 3
"""That may die at their start, one after the other, before that counts as hopeless."""
OPEN_FILES_PER_WORKER = 4
OPEN_FILES_BESIDE = 256
GONE_S = 5.0
"""How long a process that was killed may take to be gone, at most."""
DUMPS_S = 4.0
"""What workers have together to write down their stacks before they are killed; each has half of what is left."""
_POLL_S = 0.002


class WorkersDiedError(RuntimeError):
    """Worker processes died while they held a task. They have been seen off and replaced; the task is given anew."""

    def __init__(self, generation: int, casualties: frozenset[int]) -> None:
        super().__init__(f"worker processes died: {sorted(casualties) or 'unknown'}")
        self.generation = generation
        """Which deaths these were, counted from 0: those that belong together share one, later ones get a later one."""
        self.casualties = casualties
        """Process ids of those that died of themselves; others may have been ended with them."""


class ForkserverDiedError(PipelineError):
    """The process that starts workers died before it was ready."""

    def __init__(self) -> None:
        super().__init__("the process that starts the workers died at its start; was it killed, or is memory short?")


class WorkersDidNotStartError(PipelineError):
    """No worker was ready within the time that is enough for any machine."""

    def __init__(self) -> None:
        super().__init__(
            f"no worker was ready within {START_TIMEOUT_S:.0f} s. Is the machine short of memory, or the disk with "
            "Python's packages very slow? `run.py --collector sequential` shows how far one gets"
        )


class TooFewOpenFilesError(SetupError):
    """The system lets this process open fewer files than its workers need."""

    def __init__(self, num_workers: int, num_needed: int, limit: int) -> None:
        super().__init__(
            f"{num_workers} workers need {num_needed} open files, and the limit is {limit}: `ulimit -n {num_needed}`, "
            "or fewer --workers"
        )


def require_open_files(num_workers: int) -> None:
    """See that this process may open the files that its workers' processes need; raise its own limit if it may.

    Raises:
        TooFewOpenFilesError: It may not.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    num_needed = OPEN_FILES_PER_WORKER * num_workers + OPEN_FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < num_needed:
        if hard != resource.RLIM_INFINITY and hard < num_needed:
            raise TooFewOpenFilesError(num_workers, num_needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (num_needed, hard))


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
        faults_path: Where stacks go when this process crashes, or hangs and is told to write them and end (SIGUSR1).
    """
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)  # which ends it
    if faults_path is not None:
        faults = open(faults_path, "ab", buffering=0)  # noqa: SIM115, PTH123  # for as long as the process lives
        faulthandler.enable(faults)
        faulthandler.register(signal.SIGUSR1, faults, chain=True)  # so that it ends when all is written
    if sys.platform == "linux":  # end with the forkserver too: without it nobody could say when this process ended
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    threadpool_limits(1)  # where preloading came too late to set the environment
    threading.Thread(target=_die_with_parent, name="cage2-parent-watch", daemon=True).start()


async def dump_and_kill(pids: Sequence[int]) -> None:
    """Have workers that hang write down their stacks, each when the one before has ended; kill those that don't.

    They write to one file: two at a time would mix their lines.
    """
    end_s = time.monotonic() + DUMPS_S
    left = list(pids)
    try:
        while left:
            _send(left[0], signal.SIGUSR1)
            wake(left[:1])  # one that was stopped writes as well
            own_end_s = (time.monotonic() + end_s) / 2
            while exists(left[0]) and time.monotonic() < own_end_s:  # noqa: ASYNC110  # nothing tells a loop of an end
                await asyncio.sleep(_POLL_S)
            _send(left.pop(0), signal.SIGKILL)
    finally:  # cancelled, perhaps
        for pid in left:
            _send(pid, signal.SIGKILL)


def see_off(pids: Sequence[int]) -> None:
    """Wait until processes that are about to die are gone.

    When the forkserver dies, its workers' ends are told a moment before the kernel has ended them.
    """
    end_s = time.monotonic() + GONE_S
    while any(map(is_running, pids)) and time.monotonic() < end_s:
        time.sleep(0.001)


def see_off_forkserver() -> None:
    """Wait until a forkserver that could not be reached is gone, so that multiprocessing starts another one.

    One that is killed closes its socket a moment before it is gone, a long one on a busy machine. In it multiprocessing
    takes it for alive, however often it is asked.
    """
    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # noqa: SLF001  # nobody else is told it
    if pid is not None:
        see_off([pid])


def wake(pids: Sequence[int]) -> None:
    """Have processes go on that were stopped."""
    for pid in pids:
        _send(pid, signal.SIGCONT)


def is_running(pid: int) -> bool:
    """Whether there is such a process that is no zombie, as far as the system tells."""
    if sys.platform != "linux":
        return exists(pid)
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def exists(pid: int) -> bool:
    """Whether there is such a process. Reads no file, and so can be asked on the loop; a zombie counts as well.

    Of the forkserver's children none stays one: it waits for each.
    """
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


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
