"""A training run as an object: `async with Pipeline(config) as pipeline: ...`.

```
search -(workflow)-> learner -(BatchPlan)-> collection -(slot)-> worker -FILLED slot-> learner -(weights)-> worker
   ^                    |
   +-(WorkflowResult)---+
```

Nothing here is global: several pipelines live in one process, each with processes, threads, segments and a folder of
its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Self

from pipeline.cage2.facts.orders import order_name
from pipeline.config import SPEED_FIELDS, change_speed
from pipeline.observe.feed import Feed
from pipeline.observe.statistics import PipelineStatistics
from pipeline.persist.files import WriteError, write_json
from pipeline.persist.runs import read_config
from pipeline.run.parts import assemble
from pipeline.types import (
    CheckpointWritten,
    EpisodesCollected,
    EpisodesLost,
    FirstEpisode,
    RunFinished,
    RunStarted,
    WorkersStarted,
)
from pipeline.workers.processes import START_TIMEOUT_S, WorkersDidNotStartError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

    from pipeline.config import Config
    from pipeline.persist.checkpoint import Checkpoint
    from pipeline.types import Event

SUMMARY = "summary.json"
PROGRESS_INTERVAL_S = 0.25
"""Between reports of how far a batch has come."""


class Pipeline:
    """A training run. Enter it to start, leave it to end; it leaves no worker and no shared memory behind.

    The forkserver that starts workers is the process's own (`multiprocessing`), and ends with it.

    ```python
    async with Pipeline(Config(total_episodes=1000)) as pipeline:
        async for event in pipeline.events():
            ...
    ```
    """

    def __init__(self, config: Config) -> None:
        """Args: config: the run. Nothing is started or written yet."""
        self.config = config
        self._resume_dir: Path | None = None
        self._feed = Feed()
        self._task: asyncio.Task[RunFinished] | None = None
        self._started = self._stopping_now = self._finishing = False
        self._final_statistics: PipelineStatistics | None = None
        self._first_episode_s: float | None = None

    @classmethod
    def resume(cls, run_dir: Path, **speed: object) -> Self:
        """Return a pipeline that goes on with a run where its last checkpoint left it.

        Args:
            run_dir: The run's folder.
            **speed: Changed values, of `config.SPEED_FIELDS` only: results don't depend on them.

        Raises:
            RunFolderError: If there is no run.
            TypeError: If a value would change the results.
            ValidationError: If a value is none that it can have.
        """
        if refused := speed.keys() - set(SPEED_FIELDS):
            msg = f"can't change {', '.join(sorted(refused))} of a run: only {', '.join(SPEED_FIELDS)}"
            raise TypeError(msg)
        config = read_config(run_dir)
        pipeline = cls(config.model_validate(change_speed(config, speed)))
        pipeline._resume_dir = run_dir
        return pipeline

    async def __aenter__(self) -> Self:
        """Make the run's memory and folder, and start training in the background.

        Raises:
            CyborgNotInstalledError: If the CybORG that was asked for can't be had.
            TensorBoardMissingError: If TensorBoard was asked for and can't be had.
            RayMissingError: If Ray was asked for and can't be had.
            TooFewOpenFilesError: If the system allows fewer open files than the workers need.
            NoSuchDeviceError: If CUDA was asked for and can't be had.
            SharedMemoryFull: If the segments don't fit.
            RunFolderError: If the folder can't be had, or the run to be resumed is still alive.
            CheckpointError: If the run to be resumed has a damaged checkpoint.
        """
        self._entered_s = self._last_checkpoint_s = time.monotonic()
        async with contextlib.AsyncExitStack() as stack:
            self._parts = await assemble(
                self.config,
                self._resume_dir,
                stack,
                emit=self._emit,
                on_episode=self._note_episode,
                on_lost=self._report_loss,
                write_checkpoint=self._write_checkpoint_if_due,
            )
            self._resources = stack.pop_all()
        self._episodes_before = self._parts.training.total_episodes
        self._task = asyncio.create_task(self._main(), name="cage2-pipeline")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run at once if it isn't over, keep its last update, and clean up.

        Raises:
            Exception: What ended the run, unless the body raised already.
        """
        self.stop(now=True)
        try:
            await _outlast(self._running)
        finally:
            self._final_statistics = self.statistics()
            closing = asyncio.ensure_future(self._resources.aclose())
            await _outlast(closing)
        failures = [None if task.cancelled() else task.exception() for task in (self._running, closing)]
        if kind is None and (failure := failures[0] or failures[1]):
            raise failure

    def events(self) -> AsyncIterator[Event]:
        """Return an iterator over what happens, from now to the end of the run.

        A listener that is slow misses the oldest events beyond 4096 rather than hold up the run. At its end the
        iterator raises what ended the run, if it failed.
        """
        return self._follow(self._feed.listen())

    async def run(self) -> RunFinished:
        """Wait for the end of the run.

        Raises:
            Exception: What ended the run, if it failed.
        """
        return await asyncio.shield(self._running)

    def stop(self, *, now: bool = False) -> None:
        """Ask the run to end: after the update in progress, or `now`, which keeps the state after the last one."""
        running = self._running
        self._parts.training.stop_requested = True
        if now and not (self._stopping_now or self._finishing or running.done()):
            self._stopping_now = True
            if (
                self._started
            ):  # else it sees the flag when it starts: a task that never ran would tell nobody of its end
                running.cancel()

    def statistics(self) -> PipelineStatistics:
        """Return the run as it is now, or as it was when the pipeline was left."""
        if self._final_statistics is not None:
            return self._final_statistics
        _ = self._running  # which there is, or it says so
        parts = self._parts
        learner = parts.learner.statistics()
        wall_s = time.monotonic() - self._entered_s
        seconds = {
            "collection": learner.wait_s,
            "learner": learner.update_s,
            "search": parts.training.search_s,
            "evaluation": parts.evaluator.statistics().wait_s,
        }
        return PipelineStatistics(
            total_episodes=parts.training.state.total_episodes,
            total_updates=parts.training.state.total_updates,
            workers_alive=parts.collector.num_alive,
            num_rebuilds=parts.collector.num_rebuilds,
            ring=parts.ring.statistics(),
            collection=parts.collection.statistics(),
            dropped_events=self._feed.num_dropped,
            first_episode_s=self._first_episode_s,
            wall_s=wall_s,
            seconds={**seconds, "idle": max(0.0, wall_s - sum(seconds.values()))},
        )

    @property
    def run_dir(self) -> Path:
        """The run's folder, once the pipeline is entered."""
        _ = self._running
        return self._parts.folder.path

    @property
    def _running(self) -> asyncio.Task[RunFinished]:
        if self._task is None:
            msg = "the pipeline is not running: enter it first (async with Pipeline(config) as pipeline)"
            raise RuntimeError(msg)
        return self._task

    async def _follow(self, listening: AsyncIterator[Event]) -> AsyncIterator[Event]:
        async for event in listening:
            yield event
        await self.run()

    async def _main(self) -> RunFinished:
        self._started = True
        try:
            self._emit(RunStarted(str(self.run_dir), self._resume_dir is not None))
            try:
                reason = await self._train()
            except BaseException:
                # whatever ends the run, what it has learned is kept; if it can't be, what ended the run is still told
                self._finishing = True
                with contextlib.suppress(WriteError):
                    await self._write_checkpoint(self._parts.training.state)
                raise
            self._finishing = True
            await self._write_checkpoint(self._parts.training.state)
            return await self._finish(reason)
        finally:
            self._feed.close()

    async def _train(self) -> str:
        """Run the coroutines of the loop until the training ends."""
        if self._stopping_now:
            return "stopped"
        try:
            async with asyncio.TaskGroup() as group:
                background = [
                    group.create_task(work)
                    for work in (self._collect(), self._parts.learner.prepare(), self._report_progress())
                ]
                reason = await self._parts.training.run()
                for task in background:
                    task.cancel()
        except asyncio.CancelledError:
            this_task = asyncio.current_task()
            if not self._stopping_now or this_task is None:
                raise
            this_task.uncancel()
            return "stopped"
        except BaseExceptionGroup as group:
            raise _first_leaf(group) from None
        return reason

    async def _collect(self) -> None:
        started_s = time.monotonic()
        # a Ray cluster may be waited for: a node that joins later brings the first worker
        try:
            async with asyncio.timeout(None if self.config.collector == "ray" else START_TIMEOUT_S):
                await self._parts.collector.start()
        except TimeoutError:
            raise WorkersDidNotStartError from None
        self._emit(WorkersStarted(time.monotonic() - started_s))
        await self._parts.collection.run()

    async def _report_progress(self) -> None:
        reported = None
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            filling = self._parts.collection.filling()
            if filling is not None and filling != reported:
                reported = filling
                self._emit(EpisodesCollected(*filling))

    async def _write_checkpoint_if_due(self, state: Checkpoint) -> None:
        if time.monotonic() - self._last_checkpoint_s >= self.config.checkpoint_interval_s:
            await self._write_checkpoint(state)

    async def _write_checkpoint(self, state: Checkpoint) -> None:
        parts = self._parts

        def write() -> None:
            parts.logs.check()  # a checkpoint must not promise lines that aren't there
            parts.checkpoints.write(state)

        await asyncio.get_running_loop().run_in_executor(parts.disk_thread, write)
        self._last_checkpoint_s = time.monotonic()
        self._emit(CheckpointWritten(str(parts.checkpoints.path), state.total_episodes))

    async def _finish(self, reason: str) -> RunFinished:
        """Write the summary and report the end."""
        training, statistics = self._parts.training, self.statistics()
        report = await training.report()
        finished = RunFinished(
            digest=training.digest(),
            profile=self.config.profile,
            reason=reason,
            episodes=statistics.total_episodes,
            updates=statistics.total_updates,
            wall_s=statistics.wall_s,
            episodes_per_s=(statistics.total_episodes - self._episodes_before) / statistics.wall_s,
            num_observed=report.num_observed if report else 0,
            too_few_observed=report is None or report.too_little,
            best_workflow=order_name(report.best) if report else None,
            best_env_reward=report.mean if report else None,
            best_env_reward_stderr=report.std if report else None,
            tied_with_best=report.tied if report else (),
            pairs=report.pairs if report else (),
            settling=report.settling if report else None,
        )
        summary = {
            **asdict(finished),
            "first_episode_s": statistics.first_episode_s,
            "seconds": statistics.seconds,
            "workers_busy_s": statistics.collection.busy_s,
            "episodes_evaluated": self._parts.evaluator.statistics().num_episodes,
            "episodes_discarded": statistics.collection.num_discarded,
            "episodes_replayed": statistics.collection.num_lost,
            "configuration": self.config.model_dump(mode="json"),
        }
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._parts.disk_thread, write_json, self.run_dir / SUMMARY, summary)
        self._emit(finished)
        return finished

    def _emit(self, event: Event) -> None:
        self._parts.logs(event)
        self._feed.emit(event)

    def _note_episode(self) -> None:
        if self._first_episode_s is None:
            self._first_episode_s = time.monotonic() - self._entered_s
            self._emit(FirstEpisode(self._first_episode_s))

    def _report_loss(self, num_episodes: int) -> None:
        self._emit(EpisodesLost(num_episodes, self._parts.collector.num_rebuilds))


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
