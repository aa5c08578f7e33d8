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

from typing import TYPE_CHECKING, Self

from pipeline.persist.budget import with_budget
from pipeline.persist.runs import RunFolderError, read_config
from pipeline.ppo.recipe import recipe_of
from pipeline.run.attackers import require_told
from pipeline.run.run import Run
from pipeline.values import SPEED_FIELDS, change_speed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

    from pipeline.config import Config
    from pipeline.observe.statistics import PipelineStatistics
    from pipeline.types import Event, RunFinished


class Pipeline:
    """A training run. Enter it to start, leave it to end; it leaves no worker and no shared memory behind.

    It is entered once. The forkserver that starts workers is one for all pipelines of a process, and ends with it;
    `multiprocessing`'s is another one.

    ```python
    async with Pipeline(Config(total_episodes=1000)) as pipeline:
        async for event in pipeline.events():
            ...
    ```
    """

    def __init__(self, config: Config) -> None:
        """Prepare a run; nothing is started or written yet.

        Args:
            config: The run.

        Raises:
            RecipeError: If the hyper-parameters that it sets don't go together.
        """
        self.config = config
        self._recipe = recipe_of(config)
        self._resume_dir: Path | None = None
        self._entered = False
        self._run: Run | None = None
        self._final_statistics: PipelineStatistics | None = None

    @classmethod
    def resume(
        cls, run_dir: Path, total_episodes: int | None = None, red_agent: str | None = None, **speed: object
    ) -> Self:
        """Return a pipeline that goes on with a run where its last checkpoint left it.

        Args:
            run_dir: The run's folder.
            total_episodes: A larger budget, for a run that has used its own up; by default it stays.
            red_agent: The run's own once more, which has to be given if it is code.
            **speed: Changed values, of `config.SPEED_FIELDS` only: results don't depend on them.

        Raises:
            RunFolderError: If there is no run, it was on a Ray cluster whose address isn't given now, or its Red agent
                is code and isn't given, or is another one.
            SmallerBudgetError: If the run has more episodes than it is given now.
            RecipeError: If the run's hyper-parameters don't go together.
            TypeError: If a value would change the results.
            ValidationError: If a value is none that it can have.
        """
        if refused := speed.keys() - set(SPEED_FIELDS):
            msg = f"can't change {', '.join(sorted(refused))} of a run: only {', '.join(SPEED_FIELDS)}"
            raise TypeError(msg)
        config = read_config(run_dir)
        if config.ray_address != "local" and not speed.keys() & {"ray_address", "collector"}:
            # who is connected to can run code here, and the folder may be somebody else's
            msg = (
                f"{run_dir} was collected on the Ray cluster {config.ray_address}, which is not connected to by a "
                f"folder's word: give --ray-address {config.ray_address}, or --collector executor to go on here"
            )
            raise RunFolderError(msg)
        require_told(run_dir, config, red_agent)
        config = config.model_validate(change_speed(config, speed))
        pipeline = cls(config if total_episodes is None else with_budget(config, total_episodes))
        pipeline._resume_dir = run_dir
        return pipeline

    async def __aenter__(self) -> Self:
        """Make the run's memory and folder, and start training in the background.

        Raises:
            RuntimeError: If the pipeline was entered before.
            AttackerNotFoundError: If there is no such Red agent of one's own, or not the one that the run began with.
            NotInstalledError: If the CybORG, a tracker or Ray was asked for and isn't installed.
            TooFewOpenFilesError: If the system allows fewer open files than the workers need.
            NoSuchDeviceError: If CUDA was asked for and can't be had.
            SharedMemoryFull: If the segments don't fit.
            RunFolderError: If the folder can't be had, or the run to be resumed is still alive.
            CheckpointError: If the run to be resumed, or the one to start from, has a damaged checkpoint.
            InitialPoliciesError: If the run can't start from the policies that it is to.
            BudgetLeftError: If it is given a larger budget, and has not used its own up.
        """
        if self._entered:
            msg = (
                "a pipeline is entered once: make another one, Pipeline(config) for another run "
                "or Pipeline.resume(run_dir) to go on with this one"
            )
            raise RuntimeError(msg)
        self._entered = True
        self._run = await Run.start(self.config, self._recipe, self._resume_dir)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the run at once if it isn't over, keep its last update, and clean up.

        Raises:
            Exception: What ended the run, unless the body raised already.
        """
        run = self._running
        try:
            await run.end()
        finally:
            self._final_statistics = run.statistics()
            failure = await run.close()
        if kind is None and failure is not None:
            raise failure

    def events(self) -> AsyncIterator[Event]:
        """Return an iterator over what happens, from now to the end of the run.

        A listener that is slow misses the oldest events beyond 4096 rather than hold up the run. At its end the
        iterator raises what ended the run, if it failed.
        """
        return self._running.events()

    async def run(self) -> RunFinished:
        """Wait for the end of the run.

        Raises:
            Exception: What ended the run, if it failed.
        """
        return await self._running.finished()

    def stop(self, *, now: bool = False) -> None:
        """Ask the run to end: after the updates in progress, or `now`, which keeps the state after the last ones.

        Where an evaluation is in progress, that is now.
        """
        self._running.stop(now=now)

    def statistics(self) -> PipelineStatistics:
        """Return the run as it is now, or as it was when the pipeline was left."""
        return self._final_statistics or self._running.statistics()

    @property
    def run_dir(self) -> Path:
        """The run's folder, once the pipeline is entered."""
        return self._running.run_dir

    @property
    def _running(self) -> Run:
        if self._run is None:
            msg = "the pipeline is not running: enter it first (async with Pipeline(config) as pipeline)"
            raise RuntimeError(msg)
        return self._run
