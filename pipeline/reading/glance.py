"""What a run is at a glance, in a time that doesn't depend on its length: for a list of many."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pipeline.observe.csv_log import TRAINING_COLUMNS, TRAINING_LOG
from pipeline.observe.logs import EVENT_LOG
from pipeline.persist.runs import RunFolderError, read_config
from pipeline.reading.owner import is_owned, locked_files
from pipeline.reading.tail import first_bytes, last_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.config import Config

State: TypeAlias = Literal["running", "finished", "stopped", "crashed", "damaged"]
_Stamp: TypeAlias = tuple[object, ...]
_LOOKED_AT: Final = (EVENT_LOG, TRAINING_LOG, "config.json")
_END_BYTES: Final = 1 << 16
"""Of a log that are looked at: the longest event, a run's end with 120 orders that tie, is a third of this."""
_MOST_CONFIG_BYTES: Final = 1 << 20
_FRESH_S: Final = 60.0
"""Where locks can't be asked for, a run is taken to go on if it wrote something in so many seconds."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A run at a glance."""

    state: State
    why: str
    """The state in words, for people."""
    config: Config | None
    """None if it can't be read; then the run is `damaged`."""
    episodes: int
    """That the run has used."""
    began_s: float | None
    """Since 1970."""
    last_s: float | None
    """When it wrote something last; since 1970."""
    finished: dict[str, Any] | None
    """The event `run_finished`, if that was last."""


def glance(run_dir: Path, locked: frozenset[tuple[int, int]] | None) -> Glance:
    """Look at a run.

    Args:
        run_dir: Its folder.
        locked: From `owner.locked_files`.
    """
    config, damage = read_small_config(run_dir)
    last_event, unreadable = _last_event(run_dir)
    finished = last_event if last_event and last_event.get("event") == "run_finished" else None
    last_s = _written_s(run_dir)
    damage = damage or unreadable
    owned = is_owned(run_dir, locked)
    state, why = _state(owned, finished, last_s, damage)
    return Glance(state, why, config, _episodes(run_dir), _began_s(run_dir), last_s, finished)


class Glances:
    """Looks at runs again and again, at each only if something of it has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[_Stamp, Glance]] = {}

    def at(self, run_dirs: Sequence[Path]) -> list[Glance]:
        """Look at runs.

        Args:
            run_dirs: Their folders.

        Returns:
            What each is.
        """
        locked = locked_files()
        known = {}
        for run_dir in run_dirs:
            stamp = (is_owned(run_dir, locked), *(_written(run_dir / name) for name in _LOOKED_AT))
            before = self._known.get(run_dir)
            # where locks can't be asked for, the state is one of time
            is_as_before = before is not None and before[0] == stamp and locked is not None
            known[run_dir] = before if before and is_as_before else (stamp, glance(run_dir, locked))
        self._known = known
        return [known[run_dir][1] for run_dir in run_dirs]


def read_small_config(run_dir: Path) -> tuple[Config | None, str | None]:
    """Return a run's configuration, or None and why it can't be read."""
    try:
        if (run_dir / "config.json").lstat().st_size > _MOST_CONFIG_BYTES:
            return None, "config.json is too large to be one"
        return read_config(run_dir), None
    except RunFolderError as error:
        return None, str(error)
    except OSError as error:
        return None, f"config.json can't be read: {error.strerror}"


def _state(
    owned: bool | None, finished: dict[str, Any] | None, last_s: float | None, damage: str | None
) -> tuple[State, str]:
    if owned:
        return "running", "a process of this machine owns it"
    if damage is not None:
        return "damaged", damage
    if finished is not None:
        reason = finished.get("reason")
        words = {
            "budget": "it has used its budget",
            "exhausted": "no workflow was left to try",
            "stopped": "it was stopped; resume goes on with it",
        }
        return ("stopped" if reason == "stopped" else "finished"), words.get(str(reason), "it has ended")
    if owned is None and last_s is not None and time.time() - last_s < _FRESH_S:
        return "running", "it was written to in the last minute; whether a process owns it can't be known here"
    return "crashed", "no process of this machine owns it, and it didn't write its end; resume goes on with it"


def _last_event(run_dir: Path) -> tuple[dict[str, Any] | None, str | None]:
    """Return the last event that was written, or None; and why its log can't be read, or None."""
    try:
        lines = last_lines(run_dir / EVENT_LOG, _END_BYTES)
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"{EVENT_LOG} can't be read: {error.strerror}"
    for line in reversed(lines):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            return event, None
    return None, (f"{EVENT_LOG} ends with lines that are no events" if lines else None)


def _episodes(run_dir: Path) -> int:
    try:
        lines = last_lines(run_dir / TRAINING_LOG, _END_BYTES)
    except OSError:
        return 0
    place = TRAINING_COLUMNS.index("Total_Episodes")
    for line in reversed(lines):
        fields = line.split(b",")
        if len(fields) == len(TRAINING_COLUMNS) and fields[place].isdigit() and len(fields[place]) < 16:
            return int(fields[place])
    return 0


def _began_s(run_dir: Path) -> float | None:
    try:
        first = first_bytes(run_dir / EVENT_LOG, 1 << 12).partition(b"\n")[0]
        return datetime.fromisoformat(json.loads(first)["timestamp"]).timestamp()
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None


def _written_s(run_dir: Path) -> float | None:
    times = [each[0] for name in _LOOKED_AT if (each := _written(run_dir / name))]
    return max(times, default=0) / 1e9 or None


def _written(path: Path) -> tuple[int, int, int] | None:
    """Return when a file was written to, in nanoseconds since 1970, its size and its inode; None if there is none."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
