"""Events as lines: thinned out, as JSON, and into the run's folder. Nothing here is global."""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast, get_args, get_type_hints

import structlog

from pipeline.persist.files import Log
from pipeline.types import Compiling, EpisodesCollected, UpdateResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor
    from pathlib import Path

    from pipeline.types import Event

EVENT_LOG = "events.jsonl"
_UNNAMED = {"result": "", "score": "", "best_score": "best_"}
"""Parts of an event whose fields stand among its own, and what is put before them."""
_COMPILING_INTERVAL_S = 10.0
"""Least time between lines that say that machine code is still being made."""


class Stream(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> int:
        """Take a line."""
        ...

    def flush(self) -> None:
        """Hold nothing back."""
        ...


class LogLines:
    """Has events written as lines; progress within a batch is left out."""

    def __init__(
        self,
        write: Callable[[Event], None],
        *,
        update_interval_s: float = 0.0,
        left_out: tuple[type[Event], ...] = (),
    ) -> None:
        """Prepare to write.

        Args:
            write: Writes the line of an event: `json_lines`, or `sentences.Sentences`.
            update_interval_s: Least time between lines about updates.
            left_out: Further events that get no line.
        """
        self._write = write
        self._left_out = (EpisodesCollected, *left_out)
        self._intervals_s = {UpdateResult: update_interval_s, Compiling: _COMPILING_INTERVAL_S}
        self._last_s: dict[type[Event], float] = {}

    def __call__(self, event: Event) -> None:
        """Write the line of an event."""
        if isinstance(event, self._left_out):
            return
        if interval_s := self._intervals_s.get(type(event)):
            now_s = time.monotonic()
            if now_s - self._last_s.get(type(event), -math.inf) < interval_s:
                return
            self._last_s[type(event)] = now_s
        self._write(event)


class EventLog:
    """The run's `events.jsonl`, one object per event. Resuming cuts off what came after the checkpoint."""

    def __init__(self, run_dir: Path, sizes: dict[str, int] | None = None, thread: Executor | None = None) -> None:
        """Open the file.

        Args:
            run_dir: The run's folder.
            sizes: Bytes to keep, when resuming.
            thread: Writes the lines; see `Log`.

        Raises:
            WriteError: If it can't be opened.
        """
        self._log = Log(run_dir / EVENT_LOG, sizes.get(EVENT_LOG) if sizes is not None else None, thread)
        self._lines = LogLines(json_lines(self._log))

    def __call__(self, event: Event) -> None:
        """Write the line of an event.

        Raises:
            WriteError: If the disk is full, say.
        """
        self._lines(event)

    def sizes(self) -> dict[str, int]:
        """Return the bytes written so far."""
        return {EVENT_LOG: self._log.size_bytes}

    def check(self) -> None:
        """Raise `WriteError` if a line could not be written."""
        self._log.check()

    def close(self) -> None:
        """Close the file."""
        self._log.close()


def json_logger(stream: Stream | None = None) -> structlog.typing.FilteringBoundLogger:
    """Return a logger of its own that writes JSON objects, one a line; structlog's global configuration stays as it is.

    Args:
        stream: Where lines go; what `sys.stderr` is now, by default.
    """
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", stream or sys.stderr)),  # a line is one write: whole or not there
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return logger


def json_lines(stream: Stream | None = None) -> Callable[[Event], None]:
    """Return what writes events through such a logger."""
    logger = json_logger(stream)
    return lambda event: logger.info(event_name(event), **event_fields(event))


def event_name(event: Event) -> str:
    """Return an event's name as logs have it: `update_result` for `UpdateResult`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event's fields, flat, floats rounded to what can be told apart, NaN as None.

    An estimate `env_reward` gives `env_reward_mean` and `env_reward_stderr`, None each if there is none; a `result` and
    a `score` give their own fields, and the `best_score` those of a score with `best_` before them. So an event's
    names are always the same.
    """
    return dict(_flat(type(event), event))


def _flat(kind: type, record: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields of a dataclass, `kind`, by their names; all None if `record` is."""
    for name, inner in _fields(kind).items():
        value = None if record is None else getattr(record, name)
        if inner is None:
            yield f"{prefix}{name}", _rounded(value)
        else:
            yield from _flat(inner, value, prefix + _UNNAMED.get(name, f"{name}_"))


@cache
def _fields(kind: type) -> dict[str, Any]:
    """Return the names of a dataclass's fields, each with the dataclass that it is, if it is one or None."""
    hints = get_type_hints(kind)
    choices = {name: get_args(hint) if isinstance(hint, UnionType) else (hint,) for name, hint in hints.items()}
    return {name: next((each for each in among if is_dataclass(each)), None) for name, among in choices.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, tuple):
        return [dict(_flat(type(each), each)) if is_dataclass(each) else _rounded(each) for each in value]
    return value
