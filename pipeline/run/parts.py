"""All parts of a run, made in order and taken apart in reverse: the composition root."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from native_buffers.ring import EpisodeRing
from native_buffers.segment import sweep_stale
from native_buffers.weights import WeightBoard
from pipeline.cage2.cyborg.env import require_cyborg
from pipeline.cage2.facts.spec import EPISODE_STEPS
from pipeline.collect.collection import Collection
from pipeline.collect.methods import game_spec, make_collector
from pipeline.collect.ray.cluster import require_ray
from pipeline.learn.intake import Intake
from pipeline.learn.learner import Learner, LearnerSettings
from pipeline.observe.run_logs import RunLogs
from pipeline.observe.tensorboard import require_tensorboard
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.persist.manifest import CheckpointError
from pipeline.persist.runs import RunFolder
from pipeline.play.record import HEADER
from pipeline.policy.store import PolicyStore
from pipeline.ppo.recipe import RECIPES
from pipeline.ppo.update import resolve_device
from pipeline.run.training import Training

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from pipeline.collect.collector import Collector
    from pipeline.config import Config
    from pipeline.persist.checkpoint import Checkpoint
    from pipeline.types import BatchPlan, Event


WORKER_FAULTS = "worker_faults.log"
"""In the run's folder: the stacks of workers that crashed or hung."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made of, as far as its owner deals with it."""

    folder: RunFolder
    checkpoints: CheckpointFolder
    logs: RunLogs
    """Told of every event before anybody else."""
    disk_thread: ThreadPoolExecutor
    ring: EpisodeRing
    collector: Collector
    collection: Collection
    intake: Intake
    learner: Learner
    training: Training


async def assemble(
    config: Config,
    resume_dir: Path | None,
    stack: contextlib.AsyncExitStack,
    *,
    emit: Callable[[Event], None],
    on_episode: Callable[[], None],
    on_lost: Callable[[int], None],
    write_checkpoint: Callable[[Checkpoint], Awaitable[None]],
) -> Parts:
    """Make all parts of a run. What can fail for the user's reasons comes before anything is written.

    Args:
        config: The run.
        resume_dir: The folder of the run to go on with, or None for a new run.
        stack: Takes every part apart again.
        emit: Told of events of the training.
        on_episode: Called for each episode that arrives.
        on_lost: Called with the number of episodes to be played again after workers died.
        write_checkpoint: Awaited after each update with the state.

    Raises:
        SetupError: If the surroundings don't allow the run; see `Pipeline.__aenter__`.
        SharedMemoryFull: If the segments don't fit.
    """
    if config.engine == "cyborg":
        require_cyborg(config.cyborg)
    if config.tensorboard:
        require_tensorboard()
    if config.collector == "ray":
        require_ray()
    device = resolve_device(config.device)
    sweep_stale()
    game = game_spec(config)
    ring = stack.enter_context(EpisodeRing.create(HEADER, game.record, config.num_slots, debug=config.debug))
    board = stack.enter_context(WeightBoard.create(game.shape.actor.num_values, config.num_slabs))

    folder = RunFolder(resume_dir) if resume_dir else RunFolder.create(config)
    stack.callback(folder.close)
    checkpoints = CheckpointFolder(folder.path)
    checkpoint = checkpoints.read()
    disk_thread = await stack.enter_async_context(_thread("disk"))
    logs = RunLogs(folder.path, checkpoint, disk_thread, tensorboard=config.tensorboard)
    stack.callback(logs.close)
    learner_thread = await stack.enter_async_context(_thread("learner"))
    search_thread = await stack.enter_async_context(_thread("search"))

    faults_path = folder.path / WORKER_FAULTS
    stack.callback(_remove_if_empty, faults_path)
    collector = make_collector(config, game, ring, board, str(faults_path.resolve()))
    stack.push_async_callback(collector.close)

    def take(plan: BatchPlan, row: int, record: Mapping[str, npt.NDArray[np.generic]]) -> None:
        on_episode()
        intake.take(plan, row, record)

    collection = Collection(
        ring, collector, run_seed=config.seed, episodes_per_task=config.task_size, take=take, on_lost=on_lost
    )
    recipe = RECIPES[config.recipe]
    settings = LearnerSettings(
        run_seed=config.seed,
        num_steps=EPISODE_STEPS,
        observation_size=game.shape.observation_size,
        episodes_per_update=config.episodes_per_update,
        policy_lag=config.policy_lag,
        alignment_lambda=config.alignment_lambda,
        episode_cap=config.episode_cap,
        recipe=recipe,
        device=device,
    )
    intake = Intake(board, collection)
    learner = Learner(settings, intake, learner_thread)
    training = Training(
        config,
        PolicyStore(config.seed, recipe.initialisation, game.shape),
        learner,
        intake,
        search_thread=search_thread,
        emit=emit,
        log_sizes=logs.sizes,
        write_checkpoint=write_checkpoint,
    )
    if checkpoint is not None:
        try:
            training.resume(checkpoint)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            msg = f"{checkpoints.path} holds a state that can't be ({error!r}): go on with the version that wrote it"
            raise CheckpointError(msg) from error
    return Parts(folder, checkpoints, logs, disk_thread, ring, collector, collection, intake, learner, training)


def _remove_if_empty(path: Path) -> None:
    if path.is_file() and path.stat().st_size == 0:
        path.unlink()


@contextlib.asynccontextmanager
async def _thread(name: str) -> AsyncIterator[ThreadPoolExecutor]:
    """One named thread. On it torch computes with one thread: the other cores are the workers'."""
    executor = ThreadPoolExecutor(1, f"cage2-{name}", initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield executor
    finally:
        await asyncio.to_thread(executor.shutdown)
