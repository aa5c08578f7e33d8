"""A training run as an object: `async with Pipeline(config) as pipeline: ...`. The composition root.

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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import torch

from native_buffers.ring import EpisodeRing, RingStatistics
from native_buffers.segment import sweep_stale
from native_buffers.weights import WeightBoard
from pipeline.cage2.compliance import Compromised
from pipeline.cage2.cyborg_env import require_cyborg
from pipeline.cage2.spec import EPISODE_STEPS
from pipeline.collect.collection import Collection, CollectionStatistics
from pipeline.collect.executor import ExecutorCollector
from pipeline.collect.record import HEADER, record_layout
from pipeline.collect.worker import WorkerSpec
from pipeline.learn.learner import Learner, LearnerSettings
from pipeline.learn.ppo import resolve_device
from pipeline.learn.recipe import RECIPES
from pipeline.observe.csv_log import CsvLog
from pipeline.observe.feed import Feed
from pipeline.observe.logs import EventLog
from pipeline.observe.tensorboard import TensorBoardLog, require_tensorboard
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.persist.files import write_json
from pipeline.persist.runs import RunFolder, read_config
from pipeline.policy.params import ACTOR
from pipeline.policy.store import PolicyStore
from pipeline.training import Training
from pipeline.types import (
    CheckpointWritten,
    EpisodesCollected,
    FirstEpisode,
    RunFinished,
    RunStarted,
    WorkersLost,
)
from pipeline.workflows.orders import order_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    import numpy.typing as npt

    from pipeline.config import Config
    from pipeline.persist.checkpoint import Checkpoint
    from pipeline.types import BatchPlan, Event

SUMMARY = "summary.json"
PROGRESS_INTERVAL_S = 0.25
"""Between reports of how far a batch has come."""


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """A run as it is now."""

    total_episodes: int
    total_updates: int
    workers_alive: int
    num_rebuilds: int
    """Times that the pool of workers had to be replaced."""
    ring: RingStatistics
    collection: CollectionStatistics
    dropped_events: int
    """Events that slow listeners missed."""
    wall_s: float
    """Since the pipeline was entered."""
    seconds: Mapping[str, float]
    """The wall time by what the run was waiting for: `collection`, `learner`, `search`, and `idle` for the rest."""


class Pipeline:
    """A training run. Enter it to start, leave it to end; it never leaves processes or shared memory behind.

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
        self._stopping_now = self._finishing = False

    @classmethod
    def resume(cls, run_dir: Path, **speed: int | None) -> Self:
        """Return a pipeline that goes on with a run where its last checkpoint left it.

        Args:
            run_dir: The run's folder.
            **speed: Changed values that results don't depend on: `workers`, `slots`, `episodes_per_task`.

        Raises:
            RunFolderError: If there is no run.
        """
        config = read_config(run_dir)
        pipeline = cls(config.model_validate({**config.model_dump(), **speed}))
        pipeline._resume_dir = run_dir
        return pipeline

    async def __aenter__(self) -> Self:
        """Make the run's memory and folder, and start training in the background.

        Raises:
            CyborgMissingError: If the CybORG that was asked for isn't installed.
            SharedMemoryFull: If the segments don't fit.
            RunFolderError: If the folder can't be had, or the run to be resumed is still alive.
            CheckpointError: If the run to be resumed has a damaged checkpoint.
        """
        async with contextlib.AsyncExitStack() as stack:
            await self._build(stack)
            self._resources = stack.pop_all()
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
            await _outlast(asyncio.ensure_future(self._resources.aclose()))
        if kind is None and not self._running.cancelled() and (failure := self._running.exception()):
            raise failure

    async def events(self) -> AsyncIterator[Event]:
        """Iterate over what happens, from now to the end of the run.

        A listener that is slow misses the oldest events beyond 4096 rather than hold up the run.

        Raises:
            Exception: What ended the run, if it failed.
        """
        async for event in self._feed.listen():
            yield event
        await self.run()

    async def run(self) -> RunFinished:
        """Wait for the end of the run.

        Raises:
            Exception: What ended the run, if it failed.
        """
        return await asyncio.shield(self._running)

    def stop(self, *, now: bool = False) -> None:
        """Ask the run to end: after the update in progress, or `now`, which keeps the state after the last one."""
        running = self._running
        self._training.stop_requested = True
        if now and not (self._stopping_now or self._finishing or running.done()):
            self._stopping_now = True
            running.cancel()

    def statistics(self) -> PipelineStatistics:
        """Return the run as it is now."""
        wall_s = time.monotonic() - self._entered_s
        seconds = {
            "collection": self._learner.wait_s,
            "learner": self._learner.update_s,
            "search": self._training.search_s,
        }
        return PipelineStatistics(
            total_episodes=self._training.total_episodes,
            total_updates=self._training.state.total_updates,
            workers_alive=self._collector.num_alive,
            num_rebuilds=self._collector.num_rebuilds,
            ring=self._ring.statistics(),
            collection=self._collection.statistics(),
            dropped_events=self._feed.num_dropped,
            wall_s=wall_s,
            seconds={**seconds, "idle": max(0.0, wall_s - sum(seconds.values()))},
        )

    @property
    def run_dir(self) -> Path:
        """The run's folder, once the pipeline is entered."""
        return self._folder.path

    @property
    def _running(self) -> asyncio.Task[RunFinished]:
        if self._task is None:
            msg = "the pipeline is not running: enter it first (async with Pipeline(config) as pipeline)"
            raise RuntimeError(msg)
        return self._task

    async def _build(self, stack: contextlib.AsyncExitStack) -> None:
        """Make all parts; what can fail for the user's reasons comes before anything is written."""
        self._entered_s = self._last_checkpoint_s = time.monotonic()
        self._first_episode_s: float | None = None
        config = self.config
        require_cyborg(config.cyborg)
        if config.tensorboard:
            require_tensorboard()
        device = resolve_device(config.device)
        sweep_stale()
        self._ring = stack.enter_context(
            EpisodeRing.create(HEADER, record_layout(EPISODE_STEPS), config.num_slots, debug=config.debug)
        )
        board = stack.enter_context(WeightBoard.create(ACTOR.num_values, config.num_slabs))
        self._folder = RunFolder(self._resume_dir) if self._resume_dir else RunFolder.create(config)
        stack.callback(self._folder.close)
        self._checkpoints = CheckpointFolder(self._folder.path)
        checkpoint = self._checkpoints.read()
        self._open_logs(stack, checkpoint)
        learner_thread = await stack.enter_async_context(_thread("learner"))
        search_thread = await stack.enter_async_context(_thread("search"))
        self._disk_thread = await stack.enter_async_context(_thread("disk"))

        self._collector = ExecutorCollector(
            WorkerSpec(
                ring_name=self._ring.name,
                board_name=board.name,
                num_slots=config.num_slots,
                num_slabs=config.num_slabs,
                num_steps=EPISODE_STEPS,
                red_agent=config.red_agent,
                cyborg=config.cyborg,
                compromised=Compromised(config.compromised),
                debug=config.debug,
            ),
            config.workers,
        )
        stack.push_async_callback(self._collector.close)
        self._collection = Collection(
            self._ring,
            self._collector,
            run_seed=config.seed,
            episodes_per_task=config.task_size,
            take=self._take,
            on_lost=self._report_loss,
        )
        self._learner = Learner(
            LearnerSettings(
                run_seed=config.seed,
                num_steps=EPISODE_STEPS,
                episodes_per_update=config.episodes_per_update,
                policy_lag=config.policy_lag,
                alignment_lambda=config.alignment_lambda,
                max_episodes_per_workflow=config.max_episodes_per_workflow,
                recipe=RECIPES[config.recipe],
                device=device,
            ),
            board,
            self._collection,
            learner_thread,
        )
        self._training = Training(
            config,
            PolicyStore(config.seed, RECIPES[config.recipe].initialisation),
            self._learner,
            search_thread=search_thread,
            emit=self._emit,
            log_sizes=self._log_sizes,
            write_checkpoint=self._write_checkpoint_if_due,
        )
        if checkpoint is not None:
            self._training.resume(checkpoint)
        self._episodes_before = self._training.total_episodes

    def _open_logs(self, stack: contextlib.AsyncExitStack, checkpoint: Checkpoint | None) -> None:
        sizes = checkpoint.log_sizes if checkpoint else None
        csv_log, event_log = CsvLog(self.run_dir, sizes), EventLog(self.run_dir, sizes)
        stack.callback(csv_log.close)
        stack.callback(event_log.close)
        self._recorders: list[Callable[[Event], None]] = [csv_log, event_log]
        self._log_sizes = lambda: {**csv_log.sizes(), **event_log.sizes()}
        if self.config.tensorboard:
            tensorboard = TensorBoardLog(self.run_dir, checkpoint.total_episodes if checkpoint else 0)
            stack.callback(tensorboard.close)
            self._recorders.append(tensorboard)

    def _emit(self, event: Event) -> None:
        for record in self._recorders:
            record(event)
        self._feed.emit(event)

    async def _main(self) -> RunFinished:
        try:
            self._emit(RunStarted(str(self.run_dir), self._resume_dir is not None))
            try:
                reason = await self._train()
            finally:
                # whatever ends the run, what it has learned is kept
                self._finishing = True
                await self._write_checkpoint(self._training.state)
            return await self._finish(reason)
        finally:
            self._feed.close()

    async def _train(self) -> str:
        """Run the coroutines of the loop until the training ends."""
        try:
            async with asyncio.TaskGroup() as group:
                background = [group.create_task(self._collect()), group.create_task(self._report_progress())]
                reason = await self._training.run()
                for task in background:
                    task.cancel()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stopping_now or task is None:
                raise
            task.uncancel()
            return "stopped"
        except BaseExceptionGroup as group:
            raise _first_leaf(group) from None
        return reason

    async def _collect(self) -> None:
        await self._collector.start()
        await self._collection.run()

    async def _report_progress(self) -> None:
        reported = None
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            filling = self._learner.filling()
            if filling is not None and filling != reported:
                reported = filling
                self._emit(EpisodesCollected(*filling))

    def _take(self, plan: BatchPlan, row: int, record: Mapping[str, npt.NDArray[np.generic]]) -> None:
        if self._first_episode_s is None:
            self._first_episode_s = time.monotonic() - self._entered_s
            self._emit(FirstEpisode(self._first_episode_s))
        self._learner.take(plan, row, record)

    def _report_loss(self, num_episodes: int) -> None:
        self._emit(WorkersLost(num_episodes, self._collector.num_rebuilds))

    async def _write_checkpoint_if_due(self, state: Checkpoint) -> None:
        if time.monotonic() - self._last_checkpoint_s >= self.config.checkpoint_interval_s:
            await self._write_checkpoint(state)

    async def _write_checkpoint(self, state: Checkpoint) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._disk_thread, self._checkpoints.write, state)
        self._last_checkpoint_s = time.monotonic()
        self._emit(CheckpointWritten(str(self._checkpoints.path), state.total_episodes))

    async def _finish(self, reason: str) -> RunFinished:
        statistics = self.statistics()
        best = self._training.best
        finished = RunFinished(
            digest=self._training.digest(),
            reason=reason,
            episodes=statistics.total_episodes,
            updates=statistics.total_updates,
            wall_s=statistics.wall_s,
            best_workflow=order_name(best[0]) if best else None,
            best_env_reward=best[1].mean if best else None,
        )
        summary = {
            **asdict(finished),
            "best_env_reward_stderr": best[1].stderr if best else None,
            "episodes_per_s": (finished.episodes - self._episodes_before) / finished.wall_s,
            "first_episode_s": self._first_episode_s,
            "seconds": statistics.seconds,
            "workers_busy_s": statistics.collection.busy_s,
            "episodes_discarded": statistics.collection.num_discarded,
            "episodes_replayed": statistics.collection.num_lost,
            "configuration": self.config.model_dump(mode="json"),
        }
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._disk_thread, write_json, self.run_dir / SUMMARY, summary)
        self._emit(finished)
        return finished


@contextlib.asynccontextmanager
async def _thread(name: str) -> AsyncIterator[ThreadPoolExecutor]:
    """One named thread. On it torch computes with one thread: more would round differently from machine to machine."""
    executor = ThreadPoolExecutor(1, f"cage2-{name}", initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield executor
    finally:
        await asyncio.to_thread(executor.shutdown)


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
