"""How far an evaluation has come, on stderr, where it takes more than a second: live on a terminal, else as lines."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SILENT_S = 1.0
LINE_INTERVAL_S = 10.0


@contextlib.contextmanager
def progress(num_episodes: int) -> Iterator[Callable[[int], None]]:
    """Show progress while a context lasts.

    Args:
        num_episodes: How many there are to play.

    Yields:
        What is to be called with the number of episodes that were played since the last call.
    """
    console = Console(stderr=True)
    shown = _Live(num_episodes, console) if console.is_terminal else _Lines(num_episodes, console)
    timer = threading.Timer(SILENT_S, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield shown.advance
    finally:
        timer.cancel()
        timer.join()
        shown.stop()


class _Live:
    """A bar that is gone in the end."""

    def __init__(self, num_episodes: int, console: Console) -> None:
        columns = TextColumn("playing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("", total=num_episodes)
        self.start = self._progress.start
        self.stop = self._progress.stop

    def advance(self, num_episodes: int) -> None:
        """Note episodes that were played."""
        self._progress.advance(self._task, num_episodes)


class _Lines:
    """A line now and then."""

    def __init__(self, num_episodes: int, console: Console) -> None:
        self._num_episodes, self._num_played = num_episodes, 0
        self._console = console
        self._last_s = time.monotonic()

    def start(self) -> None:
        """Say that it takes a while."""
        self._print()

    def advance(self, num_episodes: int) -> None:
        """Note episodes that were played, and say so if that hasn't been done for long."""
        self._num_played += num_episodes
        if time.monotonic() - self._last_s >= LINE_INTERVAL_S:
            self._print()

    def stop(self) -> None:
        """Leave it at that."""

    def _print(self) -> None:
        self._last_s = time.monotonic()
        self._console.print(f"playing: {self._num_played:,} of {self._num_episodes:,} episodes", highlight=False)
