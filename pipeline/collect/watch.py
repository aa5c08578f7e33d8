"""Tasks in flight, looked at now and then: workers that hang are killed, and what they play is lost as if they died."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator

    from pipeline.collect.deadline import Flight

    Key = TypeVar("Key", bound=Hashable)
else:
    Key = TypeVar("Key")

INTERVAL_S = 1.0
"""Between two looks."""


class Watch(Generic[Key]):
    """The tasks in flight, each by a key that its owner knows it by."""

    def __init__(self, flight: Callable[[Key, float], Flight], kill: Callable[[Key], Awaitable[bool]]) -> None:
        """Watch nothing yet.

        Args:
            flight: Returns how a task is getting on, given when it was submitted.
            kill: Kills the worker that holds a task, if there is one.
        """
        self._flight = flight
        self._kill = kill
        self._submitted_s: dict[Key, float] = {}
        self._landed_s = 0.0
        self._hung: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._submitted_s)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._submitted_s)

    def submit(self, task: Key) -> None:
        """Note that a task was submitted."""
        self._submitted_s[task] = time.monotonic()

    def land(self, task: Key) -> str | None:
        """Note that a task ended, or was lost. Return what it did if its worker was killed because it hung."""
        del self._submitted_s[task]
        self._landed_s = time.monotonic()
        return self._hung.pop(task, None)

    def overdue(self, now_s: float) -> list[tuple[Key, Flight]]:
        """Return the tasks that hang."""
        flights = {task: self._flight(task, submitted_s) for task, submitted_s in self._submitted_s.items()}
        heard_s = max([self._landed_s, *(flight.heard_s for flight in flights.values())])
        return [(task, flight) for task, flight in flights.items() if flight.is_overdue(now_s, heard_s)]

    async def run(self) -> None:
        """Have workers killed that hang, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            for task, flight in self.overdue(time.monotonic()):
                if self._submitted_s.get(task) != flight.submitted_s:
                    continue  # it ended while another one was seen to
                self._submitted_s[task] = time.monotonic()  # as long again for the kill to show
                was_killed = task in self._hung  # and is gone, but the task has yet to be told
                self._hung[task] = f"it did not end within {flight.limit_s:.0f} s, and its worker was killed"
                if not await self._kill(task) and not was_killed:
                    self._hung.pop(task, None)
