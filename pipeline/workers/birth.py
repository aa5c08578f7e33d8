"""How worker processes come to be: what is done before they are started, and what each does first."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
from multiprocessing import parent_process
from pathlib import Path

from threadpoolctl import threadpool_limits

from pipeline.errors import PipelineError
from pipeline.numerics.subnormals import flush_subnormals
from pipeline.persist.files import open_plain

_PR_SET_PDEATHSIG = 1
START_TIMEOUT_S = 300.0
"""For the first worker to be ready, on a machine that compiles the engine slowly and does much else."""


class WorkersDidNotStartError(PipelineError):
    """No worker was ready within the time that is enough for any machine."""

    def __init__(self) -> None:
        super().__init__(
            f"no worker was ready within {START_TIMEOUT_S:.0f} s. Is the machine short of memory, or the disk with "
            "Python's packages very slow? `run.py --collector sequential` shows how far one gets"
        )


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
        with contextlib.suppress(OSError):  # a folder that has changed since is no reason not to play
            faults = open_plain(Path(faults_path), os.O_WRONLY | os.O_CREAT | os.O_APPEND)  # as long as it lives
            faulthandler.enable(faults)
            faulthandler.register(signal.SIGUSR1, faults, chain=True)  # so that it ends when all is written
    if sys.platform == "linux":  # end with the forkserver too: without it nobody could say when this process ended
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    threadpool_limits(1)  # where preloading came too late to set the environment
    flush_subnormals()
    threading.Thread(target=_die_with_parent, name="cage2-parent-watch", daemon=True).start()


def ready() -> int:
    """Return this worker's process id: proof that a worker has started."""
    return os.getpid()


def _die_with_parent() -> None:
    """End this process when the parent is gone, killed even: nobody else would."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
