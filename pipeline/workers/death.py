"""How worker processes end: who has died, what those that hang are told, and when one is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import time
import weakref
from typing import TYPE_CHECKING

from pipeline.errors import TravellingError

if TYPE_CHECKING:
    from collections.abc import Sequence

GONE_S = 5.0
"""How long a process that was killed may take to be gone, at most."""
DUMPS_S = 4.0
"""What workers have together to write down their stacks before they are killed; each has half of what is left."""
_POLL_S = 0.002


class WorkersDiedError(TravellingError, RuntimeError):
    """Worker processes died while they held a task. They have been seen off and replaced; the task is given anew."""

    def __init__(self, generation: int, casualties: frozenset[int]) -> None:
        super().__init__(f"worker processes died: {sorted(casualties) or 'unknown'}")
        self.generation = generation
        """Which deaths these were, counted from 0: those that belong together share one, later ones get a later one."""
        self.casualties = casualties
        """Process ids of those that died of themselves; others may have been ended with them."""


class Handle:
    """A process, told apart from a later one with its id: a signal reaches it, or nobody.

    By a descriptor of the process where there is one (Linux); elsewhere by the id, as well as that goes.
    """

    def __init__(self, pid: int) -> None:
        """Args: pid: of a process that runs, or has ended a moment ago."""
        self.pid = pid
        self._fd: int | None = None  # as of one that is gone already
        if sys.platform == "linux":
            with contextlib.suppress(ProcessLookupError):
                self._fd = os.pidfd_open(pid)
                weakref.finalize(self, os.close, self._fd)

    def is_gone(self) -> bool:
        """Whether it has ended, waited for or not. May be asked on the loop, and by any thread."""
        if sys.platform == "linux":
            if self._fd is None:
                return True
            poll = select.poll()  # one for each call: it can't be shared by threads
            poll.register(self._fd, select.POLLIN)  # which comes when the process ends
            return bool(poll.poll(0))
        try:
            os.kill(self.pid, 0)
        except OSError:
            return True
        return False

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            if sys.platform != "linux":
                os.kill(self.pid, number)
            elif self._fd is not None:
                signal.pidfd_send_signal(self._fd, number)


async def dump_and_kill(workers: Sequence[Handle]) -> None:
    """Have workers that hang write down their stacks, each when the one before has ended; kill those that don't.

    They write to one file: two at a time would mix their lines.
    """
    end_s = time.monotonic() + DUMPS_S
    left = list(workers)
    try:
        while left:
            left[0].send(signal.SIGUSR1)
            left[0].send(signal.SIGCONT)  # one that was stopped writes as well
            own_end_s = (time.monotonic() + end_s) / 2
            while time.monotonic() < own_end_s and not left[0].is_gone():  # noqa: ASYNC110  # it is over in no time
                await asyncio.sleep(_POLL_S)
            left.pop(0).send(signal.SIGKILL)
    finally:  # cancelled, perhaps
        for worker in left:
            worker.send(signal.SIGKILL)


def see_off(dying: Sequence[Handle]) -> None:
    """Wait until processes that are about to die are gone.

    When the forkserver dies, its workers' ends are told a moment before the kernel has ended them.
    """
    end_s = time.monotonic() + GONE_S
    while not all(process.is_gone() for process in dying) and time.monotonic() < end_s:
        time.sleep(_POLL_S)
