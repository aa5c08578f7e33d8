"""What is new of a run for somebody who looks at it: all of it first, then what came since.

A client is a cursor: what it has been told of each visit that it sees. Both it and what it keeps are bounded, however
long the run: the latest visits are shown, and curves have points enough for a picture.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.reading.curves import updates_per_point
from pipeline.watch import views

if TYPE_CHECKING:
    from pipeline.reading.curves import Visit
    from pipeline.reading.run import Reading

MOST_VISITS: Final = 400
"""Curves that a client is shown, the latest."""
MOST_POINTS: Final = 8192
"""Of all curves together, about."""
MOST_POINTS_OF_CURVE: Final = 2048


class Feed:
    """Tells one client what is new of a run.

    Args:
        reading: The run; its lock is held by whoever asks.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._generation = -1
        """Of the curves that the client was told of."""
        self._forget()

    def news(self) -> dict[str, Any] | None:
        """Return what is new, or None if nothing is.

        `reset`: forget all that was told before. `first_visit`: those before are no longer shown. Of a curve and of the
        time line, points from `first` on take the place of those that were told before.
        """
        reset = self._generation != self._reading.curves.generation
        if reset:
            self._forget()
            self._generation = self._reading.curves.generation
        visits = self._reading.curves.visits[-MOST_VISITS:]
        first_visit = visits[0].index if visits else 0
        for index in [index for index in self._curves if index < first_visit]:
            del self._curves[index]
            self._ended.pop(index, None)
        news: dict[str, Any] = {
            "visits": self._new_visits(visits),
            "curves": self._new_points(visits),
            "timeline": self._new_timeline(),
            "marks": self._new_marks(),
            "now": self._new_progress(),
        }
        news = {name: value for name, value in news.items() if value}
        if not news and not reset:
            return None
        return {"reset": reset, "first_visit": first_visit, "num_visits": len(self._reading.curves.visits), **news}

    def _forget(self) -> None:
        self._curves: dict[int, tuple[int, int]] = {}
        """By visit: updates per point, and updates that the client knows of."""
        self._ended: dict[int, bool] = {}
        self._timeline = (0, 0)
        self._num_marks: tuple[int, float] | None = None
        self._progress: dict[str, Any] | None = None

    def _new_visits(self, visits: list[Visit]) -> list[dict[str, Any]]:
        news = []
        for visit in visits:
            is_over = visit.ended is not None
            if self._ended.get(visit.index) is not is_over:
                self._ended[visit.index] = is_over
                news.append(views.visit(self._reading, visit))
        return news

    def _new_points(self, visits: list[Visit]) -> list[dict[str, Any]]:
        shares = 1 << max(0, len(visits) - 1).bit_length()  # so that it seldom changes
        most = max(2, min(MOST_POINTS_OF_CURVE, MOST_POINTS // shares))
        news = []
        episodes, running_s = self._reading.events.clock()
        for visit in visits:
            points = self._reading.curves.points(visit, most, self._curves.get(visit.index, (0, 0)))
            if points is None:
                continue
            self._curves[visit.index] = (points.updates_per_point, len(visit.rows))
            at_s = _interpolated(points.columns["total_episodes"], episodes, running_s)
            news.append(
                {
                    "visit": visit.index,
                    "updates_per_point": points.updates_per_point,
                    "first": points.first,
                    "columns": {**points.columns, "running_s": at_s},
                }
            )
        return news

    def _new_timeline(self) -> dict[str, Any] | None:
        """Return where the run stood when: after every `k` updates, and after the last."""
        episodes, running_s = self._reading.events.clock()
        k = updates_per_point(len(episodes), MOST_POINTS_OF_CURVE)
        if self._timeline == (k, len(episodes)):
            return None
        first = self._timeline[1] // k if self._timeline[0] == k else 0
        self._timeline = (k, len(episodes))
        ends = np.minimum(np.arange(first * k, len(episodes), k) + k, len(episodes)) - 1
        return {"first": first, "columns": {"running_s": running_s[ends], "episodes": episodes[ends]}}

    def _new_marks(self) -> list[dict[str, Any]] | None:
        marks = self._reading.events.marks
        state = (len(marks), marks[-1].at_s if marks else 0.0)
        if state == self._num_marks:
            return None
        self._num_marks = state
        return [asdict(mark) for mark in marks]

    def _new_progress(self) -> dict[str, Any] | None:
        progress = asdict(self._reading.progress())
        if progress == self._progress:
            return None
        self._progress = progress
        return {**progress, "last_s": self._reading.glance.last_s}


def _interpolated(at: np.ndarray[Any, Any], places: np.ndarray[Any, Any], values: np.ndarray[Any, Any]) -> Any:
    if not len(places):
        return np.full(len(at), np.nan)
    return np.interp(at, places, values)
