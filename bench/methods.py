"""Three ways to collect episodes, measured alike: warmed up, then timed.

`shm`: the pipeline's own collection, to the copy into the batch. `pickle`: the same workers, environment and policy,
but weights pickled into each task and lists pickled back. `prototype`: see `prototype.py`.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import _CallItem, _ResultItem
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

import numpy as np
import pickled
import prototype
import psutil

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline import seeding
from pipeline.cage2.compliance import Compromised
from pipeline.cage2.spec import EPISODE_STEPS
from pipeline.collect import worker
from pipeline.collect.collection import Collection
from pipeline.collect.executor import ExecutorCollector
from pipeline.collect.record import HEADER, record_layout
from pipeline.learn.batch import Batch
from pipeline.policy import network
from pipeline.policy.params import ACTOR
from pipeline.types import BatchPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.config import Config

WORKFLOW_ID = 65
RUN_SEED = 0
BATCH_SIZE = 1000
"""Episodes per batch, for `shm`."""
WARM_TASKS = 4
"""Tasks per worker before the clock starts, so that all workers are up."""


@dataclass(frozen=True, slots=True)
class Row:
    """One method's figures."""

    method: str
    engine: str
    red_agent: str
    workers: int
    episodes: int
    episodes_per_s: float
    first_episode_s: float
    """From nothing to the first episode in the parent, start of the processes included."""
    pickled_bytes_per_episode: float
    """Both directions: what the executor really puts into its pipes."""
    pickled_bytes_to_worker: float
    pickled_bytes_to_parent: float
    serialization_us_per_episode: float
    """Microseconds to pickle and unpickle that, both directions."""
    shared_bytes_per_episode: int
    """Written to shared memory instead."""
    pss_bytes: int
    """Of parent, workers and forkserver together, each shared page counted once."""

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return asdict(self)


def measure(method: str, config: Config, num_episodes: int) -> Row:
    """Measure one method.

    Args:
        method: `shm`, `pickle` or `prototype`.
        config: Workers, Red agent, task size.
        num_episodes: Episodes to time.
    """
    run = {"shm": _measure_shm, "pickle": _measure_pickle, "prototype": _measure_prototype}[method]
    return asyncio.run(run(config, num_episodes))


async def _measure_shm(config: Config, num_episodes: int) -> Row:
    started_s = time.perf_counter()
    record = record_layout(EPISODE_STEPS)
    batches: dict[int, Batch] = {}
    spare: list[Batch] = []  # as a learner would, memory is used again: a page's first touch costs more than an episode
    first_s = 0.0
    num_missing = 0
    all_there = asyncio.Event()

    def take(plan: BatchPlan, row: int, fields: Any) -> None:
        nonlocal first_s, num_missing
        first_s = first_s or time.perf_counter() - started_s
        batch = batches.get(plan.batch_index)
        if batch is None:
            batch = batches[plan.batch_index] = spare.pop() if spare else Batch(BATCH_SIZE, EPISODE_STEPS)
        batch.put(row, fields)
        if batch.num_filled == plan.num_episodes:
            batch.clear()
            spare.append(batches.pop(plan.batch_index))
            collection.close(plan.batch_index)
        num_missing -= 1
        if num_missing == 0:
            all_there.set()

    with (
        EpisodeRing.create(HEADER, record, config.num_slots) as ring,
        WeightBoard.create(ACTOR.num_values, config.num_slabs) as board,
    ):
        board.publish(0, _weights())
        spec = worker.WorkerSpec(
            ring_name=ring.name,
            board_name=board.name,
            num_slots=config.num_slots,
            num_slabs=config.num_slabs,
            num_steps=EPISODE_STEPS,
            red_agent=config.red_agent,
            engine=config.engine,
            profile=config.profile,
            cyborg=config.cyborg,
            compromised=Compromised(config.compromised),
            debug=False,
        )
        collector = ExecutorCollector(spec, config.workers)
        collection = Collection(
            ring, collector, run_seed=RUN_SEED, episodes_per_task=config.task_size, take=take, on_lost=_refuse
        )
        await collector.start()
        collecting = asyncio.create_task(collection.run())

        async def collect(num: int, first_index: int) -> float:
            nonlocal num_missing
            all_there.clear()
            num_missing = num
            begin_s = time.perf_counter()
            for index, first in enumerate(range(0, num, BATCH_SIZE), first_index):
                collection.open(BatchPlan(index, WORKFLOW_ID, first, min(BATCH_SIZE, num - first), 0))
            await all_there.wait()
            return time.perf_counter() - begin_s

        await collect(WARM_TASKS * config.workers * config.task_size, 0)
        elapsed_s = await collect(num_episodes, 10_000)
        pss_bytes = _pss_bytes()
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
        await collector.close()
        shared_bytes = ring.statistics().slot_bytes
    slots = tuple(range(config.task_size))
    return _row(
        "shm",
        config,
        num_episodes,
        elapsed_s,
        first_s,
        worker.play,
        (slots,),
        None,
        len(slots),
        shared_bytes,
        pss_bytes,
    )


async def _measure_pickle(config: Config, num_episodes: int) -> Row:
    weights = _weights()

    def arguments(environment_seed: int, actions_seed: int) -> tuple[Any, ...]:
        return weights, WORKFLOW_ID, environment_seed, actions_seed

    with ProcessPoolExecutor(
        config.workers, get_context("forkserver"), pickled.initialize, (config.engine, config.red_agent)
    ) as pool:
        return await _measure_pool("pickle", pool, pickled.play, arguments, config, num_episodes)


async def _measure_prototype(config: Config, num_episodes: int) -> Row:
    weights = prototype.initial_weights()

    def arguments(environment_seed: int, actions_seed: int) -> tuple[Any, ...]:
        return weights, WORKFLOW_ID, config.red_agent, environment_seed, actions_seed

    with ProcessPoolExecutor(config.workers, get_context("spawn")) as pool:
        return await _measure_pool("prototype", pool, prototype.collect_episode, arguments, config, num_episodes)


async def _measure_pool(
    method: str,
    pool: ProcessPoolExecutor,
    play: Callable[..., Any],
    arguments: Callable[[int, int], tuple[Any, ...]],
    config: Config,
    num_episodes: int,
) -> Row:
    """Measure a method that submits one episode per task and gets it back as the task's result."""
    started_s = time.perf_counter()
    loop = asyncio.get_running_loop()
    num_warm = WARM_TASKS * config.workers
    environment, actions = seeding.episode_seeds(RUN_SEED, WORKFLOW_ID, np.arange(num_warm + num_episodes))
    tasks = [arguments(int(e), int(a)) for e, a in zip(environment, actions, strict=True)]

    warming = [loop.run_in_executor(pool, play, *task) for task in tasks[:num_warm]]
    await asyncio.wait(warming, return_when=asyncio.FIRST_COMPLETED)
    first_s = time.perf_counter() - started_s
    await asyncio.gather(*warming)
    begin_s = time.perf_counter()
    results = await asyncio.gather(*(loop.run_in_executor(pool, play, *task) for task in tasks[num_warm:]))
    elapsed_s = time.perf_counter() - begin_s
    return _row(method, config, num_episodes, elapsed_s, first_s, play, tasks[0], results[0], 1, 0, _pss_bytes())


def _row(
    method: str,
    config: Config,
    num_episodes: int,
    elapsed_s: float,
    first_s: float,
    play: Callable[..., Any],
    arguments: tuple[Any, ...],
    result: Any,
    episodes_per_task: int,
    shared_bytes: int,
    pss_bytes: int,
) -> Row:
    call, answer = _CallItem(10_000, play, arguments, {}), _ResultItem(10_000, result=result)
    to_worker, to_parent = (len(ForkingPickler.dumps(item)) / episodes_per_task for item in (call, answer))
    return Row(
        method=method,
        engine="cyborg" if method == "prototype" else config.engine,
        red_agent=config.red_agent,
        workers=config.workers,
        episodes=num_episodes,
        episodes_per_s=num_episodes / elapsed_s,
        first_episode_s=first_s,
        pickled_bytes_per_episode=to_worker + to_parent,
        pickled_bytes_to_worker=to_worker,
        pickled_bytes_to_parent=to_parent,
        serialization_us_per_episode=(_round_trip_us(call) + _round_trip_us(answer)) / episodes_per_task,
        shared_bytes_per_episode=shared_bytes,
        pss_bytes=pss_bytes,
    )


def _round_trip_us(item: object, repeats: int = 200) -> float:
    begin_s = time.perf_counter()
    for _ in range(repeats):
        ForkingPickler.loads(ForkingPickler.dumps(item))
    return (time.perf_counter() - begin_s) / repeats * 1e6


def _weights() -> np.ndarray[Any, np.dtype[np.float32]]:
    return network.create(seeding.seed(RUN_SEED, seeding.Stream.POLICY_INIT, WORKFLOW_ID), "orthogonal").actor_weights()


def _pss_bytes() -> int:
    total = 0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:  # it ended meanwhile
            continue
    return total


def _refuse(num_episodes: int) -> None:
    raise RuntimeError(f"workers died during a benchmark, {num_episodes} episodes are lost")
