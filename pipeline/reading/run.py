"""A run as it can be read from outside: while it is written, after its end, after a crash, damaged.

```
config.json          what was asked for    |
training_log.csv     curves                |  Reading.refresh() -> what came since; files are opened for that time only,
gp_sampling_log.csv  visits, orders        |  none is written, no lock is taken
events.jsonl         when, and what went wrong
summary.json         where the seconds went
```
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipeline.observe.csv_log import GP_SAMPLING_LOG, TRAINING_LOG
from pipeline.observe.logs import EVENT_LOG
from pipeline.persist.files import read_json, reason
from pipeline.reading.curves import Curves
from pipeline.reading.events import Events
from pipeline.reading.glance import Glance, glance
from pipeline.reading.orders import Map, map_after
from pipeline.reading.owner import locked_files
from pipeline.reading.tail import first_bytes
from pipeline.reading.visits import EndedVisits
from pipeline.run.summary import SUMMARY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.reading.curves import Visit
    from pipeline.reading.visits import EndedVisit

RATE_WINDOW_S: Final = 30.0
"""That the speed of a run which goes on is averaged over."""
_MOST_JSON_BYTES: Final = 1 << 22
_MAPS_KEPT: Final = 64
WORKER_FAULTS: Final = "worker_faults.log"
_FAULTS_BYTES: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class PartProgress:
    """How far a part of a run has come."""

    part: str
    """`search`, `finals`, or `training` where there is but one part."""
    episodes: int
    budget: int
    """Episodes; what a part leaves goes to the next."""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Where time goes."""

    by: Mapping[str, float]
    """Seconds by what was waited for, or computed."""
    of: str
    """What they are of, in words."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    state: str
    why: str
    episodes: int
    budget: int | None
    """None if the configuration can't be read, as what follows from it."""
    updates: int
    parts: tuple[PartProgress, ...]
    episodes_per_s: float | None
    """Of the last `RATE_WINDOW_S` while the run goes on; else of its last process. None if it isn't known."""
    left_s: float | None
    """At that speed; None unless it goes on."""
    running_s: float
    """That it has gone on, up to its last event."""
    workers: int | None
    slots: int | None
    """As configured: how many are busy is in no file."""
    num_replayed: int
    num_rebuilds: int
    seconds: Seconds | None
    damaged_lines: Mapping[str, int]
    """By file, of those that have any: they were left out."""
    unreadable: Mapping[str, str]
    """By file, why it can't be read."""


class Reading:
    """A run, as far as it has been read. Threads may share it.

    Args:
        run_dir: Its folder, from `folders.RunFolders`.
    """

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.ended = EndedVisits(run_dir)
        self.curves = Curves(run_dir, self.ended)
        self.events = Events(run_dir)
        self.lock = threading.Lock()
        """To be held while it is refreshed and looked at."""
        self.glance: Glance = glance(run_dir, locked_files())
        self._unreadable: dict[str, str] = {}
        self._maps: OrderedDict[tuple[int, int], Map] = OrderedDict()
        self._maps_lock = threading.Lock()

    def refresh(self) -> None:
        """Read what was written since."""
        self._unreadable = {}
        self._try(TRAINING_LOG, self.curves.refresh)
        self._try(EVENT_LOG, self.events.refresh)
        self.glance = glance(self.run_dir, locked_files())

    def ended_visit(self, visit: Visit) -> EndedVisit | None:
        """Return how a visit ended, or None while it goes on."""
        return None if visit.ended is None else self.ended.visits[visit.ended]

    def part_of(self, visit: Visit) -> str:
        """Return the part of the run that a visit is of."""
        ended = self.ended_visit(visit)
        if ended is not None:
            return ended.part
        return str(self.events.under_way.get(visit.workflow_id, {}).get("part", "search"))

    def progress(self) -> Progress:
        """Return how far the run has come."""
        seen, config = self.glance, self.glance.config
        goes_on = seen.state == "running"
        speed = self.events.episodes_per_s(RATE_WINDOW_S if goes_on else float("inf"))
        budget = config.total_episodes if config else None
        left_s = (budget - seen.episodes) / speed if goes_on and budget is not None and speed else None
        damaged = {
            TRAINING_LOG: self.curves.num_damaged,
            GP_SAMPLING_LOG: self.ended.num_damaged,
            EVENT_LOG: self.events.num_damaged,
        }
        return Progress(
            state=seen.state,
            why=seen.why,
            episodes=seen.episodes,
            budget=budget,
            updates=self.curves.num_rows,
            parts=self._parts(),
            episodes_per_s=speed,
            left_s=left_s,
            running_s=self.events.running_s,
            workers=config.num_players if config else None,
            slots=config.num_slots if config else None,
            num_replayed=self.events.num_replayed,
            num_rebuilds=self.events.num_rebuilds,
            seconds=self._seconds(),
            damaged_lines={name: num for name, num in damaged.items() if num},
            unreadable=dict(self._unreadable),
        )

    def orders_after(self, num_visits: int) -> Map | None:
        """Return the map of orders after so many visits, or None if the configuration can't be read.

        Takes about a second the first time, and imports torch: call it on a thread, without `lock`.

        Raises:
            ValueError: There are not so many, or the logs say what no run can have observed.
        """
        with self.lock:
            visits, evaluated = list(self.ended.visits[:num_visits]), list(self.events.orders_evaluated)
            config, key = self.glance.config, (self.curves.generation, num_visits)
        if not 0 <= num_visits == len(visits):
            raise ValueError(f"the run has no {num_visits} visits that are over")
        if config is None:
            return None
        with self._maps_lock:
            if key not in self._maps:
                self._maps[key] = map_after(config, visits, evaluated)
            self._maps.move_to_end(key)
            if len(self._maps) > _MAPS_KEPT:
                self._maps.popitem(last=False)
            return self._maps[key]

    def machine(self) -> dict[str, Any] | None:
        """Return what `machine.json` says, or None if it can't be read."""
        return self._json("machine.json")

    def faults(self) -> str:
        """Return what `worker_faults.log` begins with: stacks of workers that died."""
        try:
            return first_bytes(self.run_dir / WORKER_FAULTS, _FAULTS_BYTES).decode(errors="replace")
        except OSError:
            return ""

    def _parts(self) -> tuple[PartProgress, ...]:
        config = self.glance.config
        if config is None:
            return ()
        if config.policy == "shared" or config.workflow is not None or not config.finals_episodes:
            return (PartProgress("training", self.glance.episodes, config.total_episodes),)
        in_finals = sum(visit.num_episodes for visit in self.ended.visits if visit.part == "finals")
        episodes = self.curves.column("Episodes")
        for visit in self.curves.visits:
            if visit.ended is None and self.part_of(visit) == "finals":
                in_finals += int(episodes[visit.rows].sum())
        search = config.total_episodes - config.finals_episodes
        in_search = max(0, self.glance.episodes - in_finals)
        return (
            PartProgress("search", in_search, search),
            PartProgress("finals", in_finals, config.finals_episodes),
        )

    def _seconds(self) -> Seconds | None:
        """Return where time goes: what a run says at its end, or the sums of its updates while it goes on."""
        if self.glance.finished is not None and (summary := self._json(SUMMARY)):
            seconds = summary.get("seconds")
            if isinstance(seconds, dict) and all(isinstance(each, int | float) for each in seconds.values()):
                return Seconds(seconds, "the last process, by what was waited for")
        if not self.curves.num_rows or self.glance.config is None:
            return None
        num_places = self.glance.config.num_places
        by = {
            "collection": float(self.curves.column("Collection_Time").sum()) / num_places,
            "learner": float(self.curves.column("Update_Time").sum()) / num_places,
        }
        return Seconds(by, "all updates so far: waiting for their episodes, and computing them")

    def _try(self, name: str, read: Callable[[], None]) -> None:
        try:
            read()
        except OSError as error:
            self._unreadable[name] = reason(error)

    def _json(self, name: str) -> dict[str, Any] | None:
        path = self.run_dir / name
        try:
            if os.lstat(path).st_size > _MOST_JSON_BYTES:
                return None
            value = read_json(path)
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None
