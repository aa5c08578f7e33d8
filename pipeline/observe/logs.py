"""Events as structured log lines: for people, as JSON, and into the run's folder. Nothing here is global."""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from pipeline.persist.files import open_log
from pipeline.types import EpisodesCollected, UpdateResult

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.types import Event

EVENT_LOG = "events.jsonl"


class LogLines:
    """Writes events as lines through a logger; progress within a batch is left out."""

    def __init__(self, logger: structlog.typing.FilteringBoundLogger, *, update_interval_s: float = 0.0) -> None:
        """Args: logger: where lines go. update_interval_s: least time between lines about updates."""
        self._logger = logger
        self._update_interval_s = update_interval_s
        self._last_update_s = -math.inf

    def __call__(self, event: Event) -> None:
        """Write the line of an event."""
        if isinstance(event, EpisodesCollected):
            return
        if isinstance(event, UpdateResult):
            now_s = time.monotonic()
            if now_s - self._last_update_s < self._update_interval_s:
                return
            self._last_update_s = now_s
        self._logger.info(event_name(event), **event_fields(event))


class EventLog:
    """The run's `events.jsonl`, one object per event. Resuming cuts off what came after the checkpoint."""

    def __init__(self, run_dir: Path, sizes: dict[str, int] | None = None) -> None:
        """Args: run_dir: the run's folder. sizes: bytes to keep, when resuming."""
        self._file = open_log(run_dir / EVENT_LOG, sizes[EVENT_LOG] if sizes is not None else None)
        self._lines = LogLines(terminal_logger(self._file, as_json=True))

    def __call__(self, event: Event) -> None:
        """Write the line of an event."""
        self._lines(event)

    def sizes(self) -> dict[str, int]:
        """Return the bytes written so far."""
        return {EVENT_LOG: self._file.tell()}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def terminal_logger(stream: TextIO | None = None, *, as_json: bool) -> structlog.typing.FilteringBoundLogger:
    """Return a logger of its own for a stream, one event per line; structlog's global configuration stays as it is.

    Args:
        stream: Where lines go; what `sys.stderr` is now, by default.
        as_json: Write JSON objects, for programs; otherwise lines for people.
    """
    stream = stream or sys.stderr
    if as_json:
        renderer: Any = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=18, sort_keys=False)
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return logger


def event_name(event: Event) -> str:
    """Return an event's name as logs have it: `update_result` for `UpdateResult`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def event_fields(event: Event) -> dict[str, Any]:
    """Return an event's fields, flat, floats rounded to what can be told apart, NaN as None.

    An estimate `env_reward` gives `env_reward_mean` and `env_reward_stderr`, a workflow's `result` its own fields.
    """
    return dict(_flat(asdict(event)))


def _flat(fields: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _flat(value, "" if name == "result" else f"{prefix}{name}_")
        else:
            yield f"{prefix}{name}", _rounded(value)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
