"""The pool's semaphores, by names that tell whose they are: what a process that was killed leaves is swept (Linux).

`multiprocessing` names its own at random. Of those in /dev/shm nobody could say whether a living process uses them.
"""

from __future__ import annotations

import os
import weakref
from multiprocessing import synchronize
from typing import Any

from native_buffers.segment import hold_semaphore, owned_name


class _Owned:
    """What makes one of `multiprocessing`'s semaphores ours: its name, and a lock as segments have."""

    _semlock: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        weakref.finalize(self, os.close, hold_semaphore(self._semlock.name))

    @staticmethod
    def _make_name() -> str:  # as `multiprocessing` asks for it
        return f"/{owned_name('semaphore')}"


class Lock(_Owned, synchronize.Lock):
    """A lock that all workers share."""


class BoundedSemaphore(_Owned, synchronize.BoundedSemaphore):
    """A semaphore that all workers share."""
