"""A tracker's side of a run: a thread of its own, for which nobody waits before the end.

```
 run -event-> scalars -> queue, bounded -> thread: open the tracker -> tell it, point by point -> close it
```

A tracker that is slow, can't be reached or fails never holds up a run, nor ends it: what it isn't told is counted, and
said at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import warnings
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pipeline.observe.track.scalars import scalars_of
from pipeline.types import UpdateResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.types import Event

MAX_QUEUED_POINTS = 4096
"""Points that a tracker may lag behind, some MB; it isn't told those beyond."""
END_TIMEOUT_S = 60.0
"""How long the end of a run waits for a tracker to take what is left."""


class Tracker(Protocol):
    """What plots, or keeps, the scalars of a run somewhere."""

    def log(self, scalars: Mapping[str, float], total_episodes: int) -> None:
        """Take scalars, by name.

        Args:
            scalars: See `scalars.scalars_of`.
            total_episodes: That the run has used, these included: the x axis. Never less than before.
        """
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


class Point(NamedTuple):
    """What is told at once."""

    scalars: dict[str, float]
    total_episodes: int


class Tracking:
    """Tells a tracker of a run's events.

    Args:
        name: The tracker's, for people.
        open_tracker: Returns it; called on the thread.
        total_episodes: Episodes that the run used before, when it is resumed.
    """

    def __init__(self, name: str, open_tracker: Callable[[], Tracker], total_episodes: int = 0) -> None:
        self._name = name
        self._open = open_tracker
        self._total_episodes = total_episodes
        self._points: queue.SimpleQueue[Point | Callable[[], None]] = queue.SimpleQueue()
        """The last is no point: it is called when the tracker has been closed."""
        self._num_lost = 0
        self._failure: Exception | None = None
        # a daemon: Python's end must not wait for a server that doesn't answer
        self._thread = threading.Thread(target=self._run, name=f"cage2-{name}", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Have the tracker told of an event, if there is anything to tell."""
        if isinstance(event, UpdateResult):
            self._total_episodes = event.total_episodes
        if scalars := scalars_of(event):
            if self._points.qsize() < MAX_QUEUED_POINTS:
                self._points.put(Point(scalars, self._total_episodes))
            else:
                self._num_lost += 1

    async def end(self) -> None:
        """Wait until the tracker has taken what is left, or for a minute; warn if it doesn't have all."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def on_end() -> None:
            with contextlib.suppress(RuntimeError):  # nobody waits any longer, and the loop is closed
                loop.call_soon_threadsafe(ended.set)

        self._points.put(on_end)
        told = ""
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await ended.wait()
        except TimeoutError:
            told = f"it has not taken all in {END_TIMEOUT_S:.0f} s"
        if self._failure is not None:
            told = f"{type(self._failure).__name__}: {self._failure}"
        if self._num_lost:
            told += f"{'; ' if told else ''}{self._num_lost} points were left out"
        if told:
            warnings.warn(
                f"{self._name} doesn't have all of the run, whose own files do: {told}", RuntimeWarning, stacklevel=2
            )

    def _run(self) -> None:
        tracker: Tracker | None = None
        while isinstance(point := self._points.get(), Point):
            try:
                if self._failure is None:
                    tracker = tracker or self._open()
                    tracker.log(*point)
            except Exception as error:  # noqa: BLE001  # others' code: plots are no reason to end a run
                self._failure = error
            self._num_lost += self._failure is not None
        try:
            if tracker is not None:
                tracker.close()
        except Exception as error:  # noqa: BLE001  # as above
            self._failure = self._failure or error
        point()
