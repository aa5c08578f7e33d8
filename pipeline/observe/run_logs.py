"""All that a run records of its events, as one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pipeline.observe.csv_log import CsvLog
from pipeline.observe.logs import EventLog
from pipeline.observe.tensorboard import TensorBoardLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from pathlib import Path

    from pipeline.persist.checkpoint import Checkpoint
    from pipeline.types import Event


class RunLogs:
    """The CSV files, `events.jsonl`, and TensorBoard's files if asked for. Resuming cuts off what came later."""

    def __init__(self, run_dir: Path, checkpoint: Checkpoint | None, thread: Executor, *, tensorboard: bool) -> None:
        """Open them.

        Args:
            run_dir: The run's folder.
            checkpoint: What the run goes on from, or None.
            thread: Writes lines; see `persist.files.Log`.
            tensorboard: Whether TensorBoard is asked for.

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
            self._recorders: list[Callable[[Event], None]] = [*self._logs]
            if tensorboard:
                board = TensorBoardLog(run_dir, total_episodes, thread)
                stack.callback(board.close)
                self._recorders.append(board)
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

    def close(self) -> None:
        """Write what is left, and close all."""
        self._resources.close()
