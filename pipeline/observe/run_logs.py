"""All that a run records of its events, as one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from pipeline.observe.csv_log import CsvLog
from pipeline.observe.logs import EventLog
from pipeline.observe.track.trackers import start_trackers

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from pathlib import Path

    from pipeline.config import Config
    from pipeline.persist.checkpoint import Checkpoint
    from pipeline.types import Event


class RunLogs:
    """The CSV files, `events.jsonl`, and trackers if asked for. Resuming cuts off what came later."""

    def __init__(self, config: Config, run_dir: Path, checkpoint: Checkpoint | None, thread: Executor) -> None:
        """Open them.

        Args:
            config: The run's, which says what trackers it has.
            run_dir: The run's folder.
            checkpoint: What the run goes on from, or None.
            thread: Writes lines; see `persist.files.Log`.

        Raises:
            WriteError: If one can't be opened.
        """
        sizes = checkpoint.log_sizes if checkpoint else None
        total_episodes = checkpoint.total_episodes if checkpoint else 0
        with contextlib.ExitStack() as stack:
            csv_log = CsvLog(run_dir, sizes, thread, total_episodes=total_episodes)
            stack.callback(csv_log.close)
            event_log = EventLog(run_dir, sizes, thread)
            stack.callback(event_log.close)
            self._logs = (csv_log, event_log)
            self._trackings = start_trackers(config, run_dir, total_episodes)
            self._recorders: list[Callable[[Event], None]] = [*self._logs, *self._trackings]
            self._resources = stack.pop_all()

    def __call__(self, event: Event) -> None:
        """Record an event.

        Raises:
            WriteError: If this or an earlier one can't be written.
        """
        for record in self._recorders:
            record(event)

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each log so far, those that are still to be written included."""
        return {name: size for log in self._logs for name, size in log.sizes().items()}

    def check(self) -> None:
        """Raise `WriteError` if a line could not be written. Says all, once the thread has come to it."""
        for log in self._logs:
            log.check()

    async def end_tracking(self) -> None:
        """Wait for the trackers, as long as they may take; see `Tracking.end`."""
        await asyncio.gather(*(tracking.end() for tracking in self._trackings))

    def close(self) -> None:
        """Write what is left, and close the files."""
        self._resources.close()
