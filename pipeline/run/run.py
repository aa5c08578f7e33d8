"""A run, from entering its pipeline to leaving it.

```
TaskGroup: training         until its end, which is the run's, or until one of the others fails
           collection       workers start, episodes come
           compiling, reports of that and of progress
           stop(now=True)   cancels the training
```

However it ends, the state after its last update is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Self

from pipeline.numerics.compiled import must_be_compiled
from pipeline.observe.statistics import PipelineStatistics
from pipeline.persist.files import WriteError, write_json
from pipeline.play import rollout
from pipeline.ppo.compiled import epoch
from pipeline.run.parts import assemble
from pipeline.run.summary import SUMMARY, run_finished, summary
from pipeline.types import Compiling, EpisodesCollected, RunStarted, WorkersStarted
from pipeline.workers.birth import START_TIMEOUT_S, WorkersDidNotStartError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pipeline.config import Config
    from pipeline.ppo.recipe import Recipe
    from pipeline.run.parts import Parts
    from pipeline.types import Event, RunEnd, RunFinished

PROGRESS_INTERVAL_S = 0.25
"""Between reports of how far a batch has come."""
COMPILING_INTERVAL_S = 1.0
"""Between reports that machine code is being made."""
COMPILING_S = 10.0
"""What it takes, side by side on two cores that have nothing else to do."""


class Run:
    """A run that goes on in the background, or is over."""

    def __init__(self, config: Config, parts: Parts, resources: contextlib.AsyncExitStack, *, resumed: bool) -> None:
        """Start; see `start`.

        Args:
            config: The run.
            parts: What it is made of.
            resources: Takes them apart.
            resumed: Whether it was begun by another process.
        """
        self._config = config
        self._parts = parts
        self._resources = resources
        self._resumed = resumed
        self._episodes_before = parts.training.statistics().total_episodes
        self._stop_now = asyncio.Event()
        self._workers_up = asyncio.Event()
        self._task = asyncio.create_task(self._main(), name="cage2-pipeline")

    @classmethod
    async def start(cls, config: Config, recipe: Recipe, resume_dir: Path | None) -> Self:
        """Make a run's parts and start it.

        Args:
            config: The run.
            recipe: Its hyper-parameters: those of `recipe_of`, but in experiments.
            resume_dir: The folder of the run to go on with, or None for a new run.

        Raises:
            SetupError: If the surroundings don't allow the run; see `Pipeline.__aenter__`.
            SharedMemoryFull: If the segments don't fit.
        """
        async with contextlib.AsyncExitStack() as stack:
            parts = await assemble(config, recipe, resume_dir, stack)
            return cls(parts.config, parts, stack.pop_all(), resumed=resume_dir is not None)

    @property
    def run_dir(self) -> Path:
        """The run's folder."""
        return self._parts.folder.path

    def events(self) -> AsyncIterator[Event]:
        """Return an iterator over what happens, from now to the end of the run; see `Pipeline.events`."""
        return self._follow(self._parts.feed.listen())

    def stop(self, *, now: bool = False) -> None:
        """Ask the run to end: after the updates in progress, or `now`, which keeps the state after the last ones.

        Where an evaluation is in progress, that is now.
        """
        training = self._parts.training
        training.stop_requested = True
        if now or training.is_evaluating:
            self._stop_now.set()

    async def finished(self) -> RunFinished:
        """Wait for the end of the run.

        Raises:
            Exception: What ended the run, if it failed.
        """
        return await asyncio.shield(self._task)

    def statistics(self) -> PipelineStatistics:
        """Return the run as it is now; not to be asked for once it is closed."""
        parts = self._parts
        training = parts.training.statistics()
        learners = [place.learner.statistics() for place in parts.places]
        evaluators = [place.evaluator.statistics() for place in parts.places]
        num_places = len(parts.places)
        wall_s = parts.clock.wall_s
        seconds = {
            "collection": sum(learner.wait_s for learner in learners) / num_places,
            "learner": sum(learner.update_s for learner in learners) / num_places,
            "search": training.search_s,
            "evaluation": sum(evaluator.wait_s for evaluator in evaluators) / num_places,
        }
        return PipelineStatistics(
            total_episodes=training.total_episodes,
            total_updates=training.total_updates,
            finals_episodes=training.finals_episodes,
            promising=training.promising,
            num_evaluated=sum(evaluator.num_episodes for evaluator in evaluators),
            workers_alive=parts.collector.num_alive,
            num_rebuilds=parts.collector.num_rebuilds,
            ring=parts.ring.statistics(),
            collection=parts.collection.statistics(),
            dropped_events=parts.feed.num_dropped,
            first_episode_s=parts.clock.first_episode_s,
            wall_s=wall_s,
            seconds={**seconds, "idle": max(0.0, wall_s - sum(seconds.values()))},
        )

    async def end(self) -> None:
        """End the run at once if it isn't over, and wait until it is, even when cancelled meanwhile."""
        self.stop(now=True)
        await _outlast(self._task)

    async def close(self) -> BaseException | None:
        """Take the parts of a run that has ended apart, even when cancelled meanwhile.

        Returns:
            What ended the run, or else what went wrong here, or None.
        """
        closing = asyncio.ensure_future(self._resources.aclose())
        await _outlast(closing)
        failures = [None if task.cancelled() else task.exception() for task in (self._task, closing)]
        return failures[0] or failures[1]

    async def _follow(self, listening: AsyncIterator[Event]) -> AsyncIterator[Event]:
        async for event in listening:
            yield event
        await self.finished()

    async def _main(self) -> RunFinished:
        parts = self._parts
        try:
            parts.emit(RunStarted(str(self.run_dir), self._resumed))
            try:
                reason = await self._train()
            except BaseException:
                # whatever ends the run, what it has learned is kept; if it can't be, what ended the run is still told
                with contextlib.suppress(WriteError):
                    await parts.checkpoints.write(parts.training.state)
                raise
            await parts.checkpoints.write(parts.training.state)
            return await self._finish(reason)
        finally:
            parts.feed.close()

    async def _train(self) -> RunEnd:
        """Run the coroutines of the loop until the training ends, and return why it did."""
        if self._stop_now.is_set():  # before the first step: no worker need start
            return "stopped"
        try:
            async with asyncio.TaskGroup() as group:
                training = group.create_task(self._parts.training.run())
                preparing = group.create_task(self._parts.places[0].learner.prepare())
                beside = [preparing] + [
                    group.create_task(work)
                    for work in (
                        self._collect(),
                        self._report_compiling(preparing),
                        self._report_progress(),
                        self._cut_short(training),
                    )
                ]
                await asyncio.wait({training})
                for task in beside:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise _first_leaf(group) from None
        return "stopped" if training.cancelled() else training.result()

    async def _cut_short(self, training: asyncio.Task[RunEnd]) -> None:
        """Cancel the training when the run is to stop now.

        The training alone, not the task that the group is in: that one would be cancelled once more, from Python 3.13
        on, if another part fails meanwhile, and what failed would be lost at its next await.
        """
        await self._stop_now.wait()
        training.cancel()

    async def _collect(self) -> None:
        started_s = time.monotonic()
        # a Ray cluster may be waited for: a node that joins later brings the first worker
        try:
            async with asyncio.timeout(None if self._config.collector == "ray" else START_TIMEOUT_S):
                await self._parts.collector.start()
        except TimeoutError:
            raise WorkersDidNotStartError from None
        self._workers_up.set()
        self._parts.emit(WorkersStarted(time.monotonic() - started_s))
        await self._parts.collection.run()

    async def _report_compiling(self, preparing: asyncio.Task[None]) -> None:
        """Report that machine code is being made, if it has to be, until workers and learner have it."""
        largest = (rollout.play, epoch.run) if self._config.device == "cpu" else (rollout.play,)
        if not await asyncio.to_thread(must_be_compiled, *largest):  # off the loop, for it reads files
            return
        started_s = time.monotonic()
        while not (self._workers_up.is_set() and preparing.done()):
            self._parts.emit(Compiling(round(time.monotonic() - started_s, 1), COMPILING_S))
            await asyncio.sleep(COMPILING_INTERVAL_S)

    async def _report_progress(self) -> None:
        reported = None
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            filling = self._parts.collection.filling()
            if filling is not None and filling != reported:
                reported = filling
                self._parts.emit(EpisodesCollected(*filling))

    async def _finish(self, reason: RunEnd) -> RunFinished:
        """Write the summary and report the end."""
        parts, statistics = self._parts, self.statistics()
        finished = run_finished(
            reason,
            self._config,
            statistics,
            *await parts.training.found(),
            digest=parts.training.digest(),
            episodes_before=self._episodes_before,
        )
        await asyncio.get_running_loop().run_in_executor(
            parts.disk_thread, write_json, self.run_dir / SUMMARY, summary(finished, self._config, statistics)
        )
        parts.emit(finished)
        return finished


async def _outlast(future: asyncio.Future[Any]) -> None:
    """Wait for a future's end even when cancelled meanwhile: what cleans up is not left half done."""
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_leaf(first) if isinstance(first, BaseExceptionGroup) else first
