"""When a run's state is written down, and in which order: logs first, for a checkpoint says how long they are."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from pipeline.types import CheckpointWritten

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from pipeline.observe.run_logs import RunLogs
    from pipeline.persist.checkpoint import Checkpoint, CheckpointFolder
    from pipeline.types import Event


class CheckpointWriter:
    """Writes a run's checkpoints, off the loop."""

    def __init__(
        self,
        folder: CheckpointFolder,
        logs: RunLogs,
        thread: Executor,
        *,
        interval_s: float,
        emit: Callable[[Event], None],
    ) -> None:
        """Prepare to write.

        Args:
            folder: Where they go.
            logs: The run's.
            thread: The single thread on which everything is written.
            interval_s: Between two checkpoints, unless `write` asks for one; the first is due so long from now.
            emit: Told of each checkpoint.
        """
        self._folder = folder
        self._logs = logs
        self._thread = thread
        self._interval_s = interval_s
        self._emit = emit
        self._last_s = time.monotonic()

    async def write_if_due(self, state: Checkpoint) -> None:
        """Write a checkpoint if the last one is old enough.

        Raises:
            WriteError: See `write`.
        """
        if time.monotonic() - self._last_s >= self._interval_s:
            await self.write(state)

    async def write(self, state: Checkpoint) -> None:
        """Write a checkpoint.

        Raises:
            WriteError: If it can't be written, or a log line before it couldn't. The previous one stays good.
        """

        def write() -> None:
            self._logs.check()  # a checkpoint must not promise lines that aren't there
            self._folder.write(state)

        await asyncio.get_running_loop().run_in_executor(self._thread, write)
        self._last_s = time.monotonic()
        self._emit(CheckpointWritten(str(self._folder.path), state.total_episodes))
