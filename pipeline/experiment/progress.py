"""How far an experiment has come, on stderr: a line for each run that ends, and on a terminal a bar of all episodes."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.experiment.runner import RunEnded, RunFailed
from pipeline.printable import printable
from pipeline.reading.glance import Glances

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.experiment.plan import PlannedRun
    from pipeline.experiment.runner import Event

_LOOK_S: Final = 1.0
_LINE_INTERVAL_S: Final = 60.0
"""Between lines that say how far it has come, where there is no bar."""


class ExperimentProgress:
    """Shows an experiment while a context lasts.

    Args:
        runs: All that are planned.
    """

    def __init__(self, runs: Sequence[PlannedRun]) -> None:
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._num_episodes = sum(run.config.total_episodes for run in runs)
        self._task = self._bar.add_task("episodes", total=self._num_episodes)
        self._run_dirs = [run.run_dir for run in runs]
        self._num_runs, self._num_ended = len(runs), 0
        self._glances = Glances()

    def __enter__(self) -> Self:
        """Begin to show it."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the lines."""
        self._bar.stop()

    def note(self, event: Event) -> None:
        """Tell what happened in a line."""
        if isinstance(event, RunEnded):
            self._num_ended += 1
            outcome = event.outcome
            worth = (
                f"greedy {outcome.greedy:.1f}, sampled {outcome.sampled:.1f}, compliance {outcome.compliance:.2f}"
                if outcome.defender
                else "names no defender"
            )
            text = f"{event.run.run_dir.name}: {worth} ({self._num_ended} of {self._num_runs} have ended)"
        elif isinstance(event, RunFailed):
            text = f"{event.run.run_dir.name}: failed: {event.why}"
        else:
            seeds = f"{event.num_seeds} seed{'s'[: event.num_seeds != 1]}"
            text = f"{event.variant}: {event.why} after {seeds}, gets no more"
        self._bar.console.print(printable(text))

    async def look(self) -> None:
        """Look at the runs' folders until cancelled."""
        last_s = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_S)
            num_episodes = await asyncio.to_thread(self._count)
            self._bar.update(self._task, completed=num_episodes)
            if not self._console.is_terminal and time.monotonic() - last_s >= _LINE_INTERVAL_S:
                last_s = time.monotonic()
                self._console.print(f"{num_episodes:,} of {self._num_episodes:,} episodes")

    def _count(self) -> int:
        begun: list[Path] = [run_dir for run_dir in self._run_dirs if run_dir.exists()]
        return sum(each.episodes for each in self._glances.at(begun))
