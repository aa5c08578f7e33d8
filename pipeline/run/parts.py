"""All parts of a run, made in order and taken apart in reverse: the composition root."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import gpytorch  # noqa: F401  # the first fit needs it, and is not to wait for it in the midst of the run
import torch

from native_buffers.ring import EpisodeRing
from native_buffers.segment import sweep_stale
from native_buffers.weights import WeightBoard
from pipeline.cage2.cyborg.env import require_cyborg
from pipeline.collect.collection import Collection
from pipeline.collect.methods import game_spec, make_collector
from pipeline.collect.ray.cluster import require_ray
from pipeline.learn.evaluation import Evaluator
from pipeline.learn.learner import Learner, LearnerSettings
from pipeline.learn.threads import LearnerThreads
from pipeline.numerics.subnormals import flush_subnormals
from pipeline.observe.feed import Feed
from pipeline.observe.run_logs import RunLogs
from pipeline.observe.track.trackers import require_trackers
from pipeline.persist.budget import record_budget, require_used_up
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.persist.files import make_plain
from pipeline.persist.initial import policies_of, read_initial
from pipeline.persist.manifest import CheckpointError
from pipeline.persist.runs import RunFolder
from pipeline.play.record import HEADER
from pipeline.policy.store import PolicyStore
from pipeline.ppo.update import learning_device
from pipeline.run.attackers import with_attackers
from pipeline.run.checkpoint_writer import CheckpointWriter
from pipeline.run.clock import Clock
from pipeline.run.place import Place
from pipeline.run.searched import Searched, Single
from pipeline.run.shared import Shared
from pipeline.run.training import Training
from pipeline.types import EpisodesLost, FirstEpisode
from pipeline.workers.limits import require_open_files
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from pipeline.collect.collector import Collector
    from pipeline.config import Config
    from pipeline.persist.initial import InitialPolicies
    from pipeline.ppo.recipe import Recipe
    from pipeline.run.curriculum import Curriculum
    from pipeline.types import Event


WORKER_FAULTS = "worker_faults.log"
"""In the run's folder: the stacks of workers that crashed or hung."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made of, as far as its owner deals with it."""

    config: Config
    """The run's, and of another run's policies, if it started from such, their SHA-256."""
    clock: Clock
    folder: RunFolder
    checkpoints: CheckpointWriter
    feed: Feed
    emit: Callable[[Event], None]
    """Tells the run's logs of an event, and then everybody who listens."""
    disk_thread: ThreadPoolExecutor
    ring: EpisodeRing
    collector: Collector
    collection: Collection
    places: Sequence[Place]
    training: Training


async def assemble(config: Config, recipe: Recipe, resume_dir: Path | None, stack: contextlib.AsyncExitStack) -> Parts:
    """Make all parts of a run. What can fail for the user's reasons comes before anything is written.

    Args:
        config: The run.
        recipe: Its hyper-parameters: those of `recipe_of`, but in experiments.
        resume_dir: The folder of the run to go on with, or None for a new run.
        stack: Takes every part apart again.

    Raises:
        SetupError: If the surroundings don't allow the run; see `Pipeline.__aenter__`.
        SharedMemoryFull: If the segments don't fit.
    """
    clock = Clock()
    if config.engine == "cyborg":
        require_cyborg(config.cyborg)
    config = with_attackers(config)
    require_trackers(config)
    if config.collector == "ray":
        require_ray()
    if config.collector in ("executor", "synchronous"):
        require_open_files(config.workers)
    device = learning_device(config.device)
    sweep_stale()
    game = game_spec(config)
    ring = stack.enter_context(EpisodeRing.create(HEADER, game.record, config.num_slots, debug=config.debug))
    board = stack.enter_context(WeightBoard.create(game.shape.actor.num_values, config.num_slabs))

    initial: InitialPolicies | None = None
    if resume_dir is None and config.init_from is not None:
        initial = policies_of(config.init_from, config, game.shape)
        config = config.model_copy(update={"init_sha256": initial.sha256})
    folder = RunFolder(resume_dir) if resume_dir else RunFolder.create(config, initial.content if initial else None)
    stack.callback(folder.close)
    if resume_dir is None:
        stack.push(_removing_if_setup_fails(folder.path))
    checkpoint_folder = CheckpointFolder(folder.path)
    checkpoint = checkpoint_folder.read()
    if config.total_episodes != checkpoint_folder.total_episodes:
        require_used_up(checkpoint, checkpoint_folder.total_episodes, folder.path)
        record_budget(folder.path, config)
        checkpoint_folder = CheckpointFolder(folder.path)
    if resume_dir is not None and config.init_sha256 is not None:
        initial = read_initial(folder.path, config.init_sha256, game.shape)
    disk_thread = await stack.enter_async_context(_thread("disk"))
    logs = RunLogs(config, folder.path, checkpoint, disk_thread)
    stack.callback(logs.close)
    stack.push_async_callback(logs.end_tracking)
    feed = Feed()

    def emit(event: Event) -> None:
        logs(event)
        feed.emit(event)

    checkpoints = CheckpointWriter(
        checkpoint_folder, logs, disk_thread, interval_s=config.checkpoint_interval_s, emit=emit
    )
    threads = await _learner_threads(config.num_learner_threads, stack)
    search_thread = await stack.enter_async_context(_thread("search"))

    faults_path = folder.path / WORKER_FAULTS
    make_plain(faults_path)  # before workers write there
    stack.callback(_remove_if_empty, faults_path)
    collector = make_collector(config, game, ring, board, str(faults_path.resolve()))
    stack.push_async_callback(collector.close)

    def on_episode() -> None:
        first_s = clock.note_episode()
        if first_s is not None:
            emit(FirstEpisode(first_s))

    def on_lost(num_episodes: int) -> None:
        emit(EpisodesLost(num_episodes, collector.num_rebuilds))

    collection = Collection(
        ring,
        collector,
        run_seed=config.seed,
        episodes_per_task=config.task_size,
        on_episode=on_episode,
        on_lost=on_lost,
    )
    settings = LearnerSettings(
        run_seed=config.seed,
        num_steps=game.num_steps,
        observation_size=game.shape.observation_size,
        episodes_per_update=config.episodes_per_update,
        policy_lag=config.policy_lag,
        alignment_lambda=config.alignment_lambda,
        device=device,
    )
    if checkpoint is None:
        search = Search(seed=config.seed, beta=config.gp_beta, max_episodes_per_workflow=config.episode_cap)
    else:
        with _refusing_impossible_state(checkpoint_folder.path):
            search = Search.from_state({**checkpoint.search, "max_episodes_per_workflow": config.episode_cap})
    decides = curriculum(config, search, recipe)
    store = PolicyStore(config.seed, recipe.initialisation, game.shape, initial.policies if initial else {})
    places: list[Place] = []
    for index in range(config.num_places):
        slabs = slice(index * config.slabs_per_place, (index + 1) * config.slabs_per_place)
        publish = partial(board.publish, slabs=slabs)
        learner = Learner(settings, publish, collection.open, threads)
        places.append(Place(learner, Evaluator(publish, collection.open), decides, store))
    training = Training(
        config,
        search,
        decides,
        store,
        places,
        search_thread=search_thread,
        emit=emit,
        log_sizes=logs.sizes,
        write_checkpoint=checkpoints.write_if_due,
    )
    if checkpoint is not None:
        with _refusing_impossible_state(checkpoint_folder.path):
            training.resume(checkpoint)
    return Parts(
        config,
        clock,
        folder,
        checkpoints,
        feed,
        emit,
        disk_thread,
        ring,
        collector,
        collection,
        places,
        training,
    )


def curriculum(config: Config, search: Search, recipe: Recipe) -> Curriculum:
    """Return what a configuration asks for, with the search that it is to keep, and the recipe that it names."""
    if config.policy == "shared":
        return Shared(config, search, recipe)
    return Single(config, search, recipe, config.workflow) if config.workflow else Searched(config, search, recipe)


@contextlib.contextmanager
def _refusing_impossible_state(path: Path) -> Iterator[None]:
    """Tell of a checkpoint that is whole, and yet holds what its parts can't take up."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        msg = f"{path} holds a state that can't be ({error!r}): go on with the version that wrote it"
        raise CheckpointError(msg) from error


def _removing_if_setup_fails(path: Path) -> Callable[..., None]:
    """Return what takes a new run's folder away again if its parts can't be made: else the next try finds it there."""

    def undo(kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            shutil.rmtree(path, ignore_errors=True)

    return undo


def _remove_if_empty(path: Path) -> None:
    if path.is_file() and not path.is_symlink() and path.stat().st_size == 0:
        path.unlink()


async def _learner_threads(num_threads: int, stack: contextlib.AsyncExitStack) -> LearnerThreads:
    critics = await stack.enter_async_context(_thread("critic", flush_subnormals, max(1, num_threads // 2)))
    updates = await stack.enter_async_context(_thread("learner", flush_subnormals, num_threads))
    return LearnerThreads(updates, critics, num_threads)


@contextlib.asynccontextmanager
async def _thread(
    name: str, prepare: Callable[[], None] = lambda: None, num_threads: int = 1
) -> AsyncIterator[ThreadPoolExecutor]:
    """Named threads, one or more, prepared as said. On each torch computes alone: the other cores are the workers'."""

    def begin() -> None:
        torch.set_num_threads(1)
        prepare()

    executor = ThreadPoolExecutor(num_threads, f"cage2-{name}", initializer=begin)
    try:
        yield executor
    finally:
        await asyncio.to_thread(executor.shutdown)
