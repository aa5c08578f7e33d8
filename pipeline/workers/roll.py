"""Which workers have come up: each calls in when its initializer is done, and one that never does is noticed."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Pipe
from typing import TYPE_CHECKING, Any

from pipeline.workers.birth import START_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection

    from pipeline.workers.death import Handle

_PID_BYTES = 4


class Roll:
    """The parent's, of one set of workers."""

    def __init__(self) -> None:
        self._hears, self.tells = Pipe(duplex=False)
        """What workers are given, for `initialize`."""
        os.set_blocking(self._hears.fileno(), False)
        self._present: set[int] = set()
        self._heard_s = time.monotonic()

    def missing(self, workers: Sequence[Handle]) -> list[Handle]:
        """Return those that hang at their start: they have not called in, nor has anybody for as long as a start takes.

        Args:
            workers: All that were started.
        """
        if len(self._present) >= len(workers):
            return []
        try:
            told = os.read(self._hears.fileno(), _PID_BYTES * len(workers))
        except BlockingIOError:  # nothing new
            told = b""
        if told:
            self._heard_s = time.monotonic()
            self._present.update(
                int.from_bytes(told[at : at + _PID_BYTES], "little") for at in range(0, len(told), _PID_BYTES)
            )
        if time.monotonic() - self._heard_s < START_TIMEOUT_S:
            return []
        return [worker for worker in workers if worker.pid not in self._present]


def initialize(tells: Connection, initializer: Callable[..., None], *arguments: Any) -> None:
    """Call a worker's initializer, and call in (the executor's initializer)."""
    initializer(*arguments)
    os.write(
        tells.fileno(), os.getpid().to_bytes(_PID_BYTES, "little")
    )  # so few bytes are written whole, or not at all
