"""What happened in a run, and when: `events.jsonl`, which alone has times."""

from __future__ import annotations

import json
import re
from array import array
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.observe.logs import EVENT_LOG
from pipeline.reading.tail import Tail

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

MOST_MARKS: Final = 1000
"""Marks that are kept, the latest; a run has a few."""
_UPDATE: Final = b'"event": "update_result"'
_EPISODES: Final = re.compile(rb'"total_episodes": (\d{1,15})[,}]')
_TIMESTAMP: Final = b'"timestamp": "'
"""What stands before the time, which is last in a line."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment of a run, beside its training."""

    kind: str
    """`run_started`, `episodes_lost` or `run_finished`."""
    at_s: float
    """Since 1970."""
    running_s: float
    """Of the run, as in `Events.clock`."""
    episodes: int
    """That the run had used."""
    num: int
    """Episodes lost; of a start 1 if the run was resumed."""


class Events:
    """What happened, as far as it has been read.

    Time is counted while the run went on: what a process did after its last checkpoint, when it was killed, is no part
    of the run, and neither is the time until it was resumed.

    Args:
        run_dir: The run's folder.
    """

    def __init__(self, run_dir: Path) -> None:
        self._tail = Tail(run_dir / EVENT_LOG)
        self._clear()

    def refresh(self) -> None:
        """Read what was written since.

        Raises:
            OSError: As `Tail.pieces`.
        """
        for piece in self._tail.pieces():
            if piece.is_anew:
                self._clear()
            self.num_damaged += piece.num_too_long
            for line in piece.lines:
                self._take(line)

    def clock(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return when which episodes had been used.

        Returns:
            `[n]` float64, ascending: episodes of the run after each update; and `[n]` float64, seconds that it had run.
        """
        return np.array(self._episodes), np.array(self._running_s)

    def episodes_per_s(self, window_s: float) -> float | None:
        """Return how fast the run was in the last seconds that are known of, since its process started.

        Args:
            window_s: At least two updates are looked at, even if they took longer.
        """
        first = max(self._first_of_process, len(self._episodes) - 2)
        if len(self._episodes) - self._first_of_process < 2:
            return None
        while first > self._first_of_process and self._running_s[-1] - self._running_s[first] < window_s:
            first -= 1
        passed_s = self._running_s[-1] - self._running_s[first]
        return (self._episodes[-1] - self._episodes[first]) / passed_s if passed_s > 0 else None

    @property
    def running_s(self) -> float:
        """Seconds that the run has gone on, up to its last event."""
        return self._base_s + self.last_s - self._started_s if self.last_s else 0.0

    def _clear(self) -> None:
        self._episodes = array("d")
        self._running_s = array("d")
        self._base_s = self._started_s = 0.0
        self._first_of_process = 0
        self.num_damaged = 0
        """Lines that were left out."""
        self.began_s: float | None = None
        """When the run was begun, in seconds since 1970."""
        self.last_s = 0.0
        """When something happened last; 0 if nothing has."""
        self.marks: deque[Mark] = deque(maxlen=MOST_MARKS)
        self.num_replayed = 0
        """Episodes lost with workers, and played again."""
        self.num_rebuilds = 0
        """Times that workers died and were replaced, in the last process."""
        self.under_way: dict[int, dict[str, Any]] = {}
        """`workflow_started` of the visits that are not over, by workflow."""
        self.orders_evaluated: list[dict[str, Any]] = []
        """Of a policy for all orders, each time that it was evaluated."""
        self.finished: dict[str, Any] | None = None
        """`run_finished`, if that was last."""

    def _take(self, line: bytes) -> None:
        try:
            if _UPDATE in line:
                self._take_update(line)
            else:
                event = json.loads(line)
                self._take_other(event, datetime.fromisoformat(event["timestamp"]).timestamp())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            self.num_damaged += 1

    def _take_update(self, line: bytes) -> None:
        """Take an update: its numbers are read from the other log, and these lines are nearly all."""
        episodes, timestamp = _EPISODES.search(line), line.rfind(_TIMESTAMP)
        if episodes is None or timestamp < 0:
            raise ValueError("an update without episodes or time")
        total = int(episodes[1])
        if self._episodes and total <= self._episodes[-1]:
            raise ValueError("episodes don't become fewer")
        self.last_s = datetime.fromisoformat(line[timestamp + len(_TIMESTAMP) : -2].decode()).timestamp()
        self._episodes.append(total)
        self._running_s.append(self.running_s)
        self.finished = None

    def _take_other(self, event: dict[str, Any], at_s: float) -> None:
        kind = event["event"]
        if kind == "run_started":
            self._base_s, self._started_s, self._first_of_process = self.running_s, at_s, len(self._episodes)
            self.began_s = self.began_s or at_s
            self.num_rebuilds = 0
        self.last_s = at_s
        self.finished = None
        if kind == "run_started":
            self._mark(kind, int(bool(event["resumed"])))
        elif kind == "episodes_lost":
            self.num_replayed += int(event["num_episodes"])
            self.num_rebuilds = int(event["num_rebuilds"])
            self._mark(kind, int(event["num_episodes"]))
        elif kind == "run_finished":
            self.finished = event
            self._mark(kind, 0)
        elif kind == "workflow_started":
            self.under_way[int(event["workflow_id"])] = event
        elif kind == "workflow_finished":
            self.under_way.pop(int(event["workflow_id"]), None)
        elif kind == "orders_evaluated":
            self.orders_evaluated.append(event)

    def _mark(self, kind: str, num: int) -> None:
        used = int(self._episodes[-1]) if self._episodes else 0
        self.marks.append(Mark(kind, self.last_s, self.running_s, used, num))
