"""Events from a run to whoever listens, without ever making the run wait."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.types import Event

MAX_QUEUED_EVENTS = 4096
"""Events that a slow listener may lag behind; beyond that it misses the oldest, for training goes first."""


class Feed:
    """Broadcasts events. Each listener has a bounded queue of its own."""

    def __init__(self) -> None:
        # held by their iterations alone: one that is dropped before its first step can't say that it is over
        self._listeners: WeakSet[_Listener] = WeakSet()
        self._closed = False
        self.num_dropped = 0
        """Events that slow listeners missed."""

    def emit(self, event: Event) -> None:
        """Queue an event for every listener."""
        for listener in self._listeners:
            if len(listener.queue) == MAX_QUEUED_EVENTS:
                self.num_dropped += 1
            listener.queue.append(event)
            listener.wake.set()

    def close(self) -> None:
        """End every listener's iteration, once it has seen what is queued."""
        self._closed = True
        for listener in self._listeners:
            listener.wake.set()

    def listen(self) -> AsyncIterator[Event]:
        """Return an iterator over the events from now on, until the feed closes."""
        listener = _Listener()
        self._listeners.add(listener)
        return self._iterate(listener)

    async def _iterate(self, listener: _Listener) -> AsyncIterator[Event]:
        try:
            while True:
                while listener.queue:
                    yield listener.queue.popleft()
                if self._closed:
                    return
                listener.wake.clear()
                await listener.wake.wait()
        finally:
            self._listeners.discard(listener)


class _Listener:
    """One iteration's queue."""

    def __init__(self) -> None:
        self.queue: deque[Event] = deque(maxlen=MAX_QUEUED_EVENTS)
        self.wake = asyncio.Event()
