"""Runs beside one another, as `experiment` and `tune` have them: how many at a time, by which commands, until when."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, Protocol

from pipeline.cage2.attackers.reference import is_reference
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.command.options import as_arguments, number_of
from pipeline.command.process import ENDS, have_handled, loop_factory
from pipeline.command.terminal import tell
from pipeline.machine import num_cores
from pipeline.values import SPEED_FIELDS
from pipeline.watch.beside import ALL_COMPARED, page_beside

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.config import Config
    from pipeline.experiment.plan import PlannedRun
    from pipeline.experiment.progress import ExperimentProgress

_ONE_OF_MANY: Final = {"workers": 1, "learner_threads": 1}
"""How a run is computed beside others, unless it is said otherwise: all of them together are the fastest so."""
_MAX_JOBS: Final = 1000


class Stoppable(Protocol):
    """What runs many runs."""

    @property
    def is_stopped(self) -> bool:
        """Whether it was asked to end."""
        ...

    def stop(self) -> None:
        """End all runs after the update in progress; called again, at once."""
        ...

    async def run(self, num_jobs: int) -> None:
        """Run what is left, so many at a time."""
        ...


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options that say how runs go beside one another."""
    parser.add_argument("--jobs", metavar="N", help="runs at a time [as many as cores have workers for]")
    parser.add_argument(
        "--watch", action="store_true", help="also as a page in a browser, all runs side by side, as long as it goes on"
    )


def speed_of(config: Config) -> dict[str, Any]:
    """Return what no result depends on, of each run."""
    return {**_ONE_OF_MANY, **config.model_dump(include={*SPEED_FIELDS}, exclude_unset=True)}


def num_jobs(text: str | None, speed: Mapping[str, Any]) -> int:
    """Return how many runs go on at a time.

    Raises:
        UsageError: It is said, and is no such number.
    """
    if text is not None:
        return number_of("--jobs", text, _MAX_JOBS)
    return max(1, num_cores() // int(speed["workers"]))


def arguments(run: PlannedRun, has_begun: bool) -> list[str]:
    """Return the command line that begins a run, or goes on with it."""
    how = ["--quiet", "--end-with-stdin"]
    values = run.config.model_dump(mode="json", exclude_unset=True)
    if not has_begun:
        return ["train", *how, *as_arguments(values)]
    once_more = {name: values[name] for name in SPEED_FIELDS if name in values}
    if any(map(is_reference, red_agents_of(run.config.red_agent))):
        once_more["red_agent"] = values["red_agent"]
    return ["resume", *how, *as_arguments(once_more), str(run.run_dir)]


@contextlib.contextmanager
def page(options: argparse.Namespace, folder: Path) -> Iterator[None]:
    """Show the runs of a folder as a page while the context lasts, if that is asked for, and say where."""
    if not options.watch:
        yield
        return
    with page_beside(folder, ALL_COMPARED) as address:
        tell(f"note: page: {address}")
        yield


def run_to_end(many: Stoppable, num_jobs: int, progress: ExperimentProgress) -> None:
    """Run what is left, shown, until it has ended or is stopped by a signal.

    Raises:
        PipelineError: What is there can't be read.
    """

    async def run() -> None:
        def stop() -> None:
            if not many.is_stopped:
                tell("note: stopping all runs after their updates in progress; once more stops them at once")
            many.stop()

        have_handled(("SIGINT", *ENDS), stop)
        try:
            async with asyncio.TaskGroup() as tasks:
                look = tasks.create_task(progress.look())
                await many.run(num_jobs)
                look.cancel()
        except ExceptionGroup as errors:  # one of the two failed, and the other was cancelled
            raise errors.exceptions[0] from None

    with progress, asyncio.Runner(loop_factory=loop_factory()) as loop:
        loop.run(run())
