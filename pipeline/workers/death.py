"""How worker processes end: who has died, what those that hang are told, and when one is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

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
