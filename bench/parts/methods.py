"""The methods, each measured as it is: the product's own collection, and the prototype's way (see `prototype.py`).

`sequential`, `synchronous`, `ray`, `pickle` and `shm` are the pipeline's, from its lease of a slot to the copy into the
learner's batch; no other code collects. All are warmed up, then timed while more work waits than the workers can take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import sys
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from native_buffers.ring import EpisodeRing
from native_buffers.segment import sweep_stale
from native_buffers.weights import WeightBoard
from parts import prototype
from parts.meter import Meter, PipeTap, Window, pss_bytes, round_trip_us
from parts.rows import START_LIMIT_S, Job, Row
from parts.synthetic import synthetic_game
from pipeline import seeding
from pipeline.collect.collection import Collection
from pipeline.collect.methods import game_spec, make_collector
from pipeline.config import Config
from pipeline.errors import PipelineError
from pipeline.filling import BatchPlan
from pipeline.play.record import HEADER
from pipeline.policy import network
from pipeline.policy.params import PLAIN
from pipeline.ppo.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from pipeline.filling import Filling

WORKFLOW_ID = 65
RUN_SEED = 0
MIN_PLAN = 1000
"""Episodes per plan, at least."""


def config_of(job: Job) -> Config:
    """Return the product's configuration for a job; with as many episodes asked for as can be."""
    return Config.model_validate(
        {
            "workers": job.workers,
            "collector": "executor" if job.method in ("shm", "pickle") else job.method,
            "transport": "pickle" if job.method == "pickle" else "shm",
            "engine": "fast" if job.engine == "fast" else "cyborg",
            "red_agent": job.red_agent,
            "episodes_per_update": 100_000,
            "policy_lag": 0,
            "observation_memory": False,  # the plain form, which every method can play, the prototype's too
            "actions": "all",
            # a synthetic episode lasts a second: a task of several would only arrive late
            "episodes_per_task": 1 if job.engine == "synthetic" else None,
        }
    )


class Demand:
    """Stands in for the learner: keeps batches open, and uses those that are full again."""

    def __init__(self, meter: Meter, num_steps: int, plan_size: int) -> None:
        """Args: meter: is told of each episode. num_steps: per episode. plan_size: episodes per plan."""
        self._meter = meter
        self._num_steps = num_steps
        self._plan_size = plan_size
        self._fillings: deque[Filling[Batch]] = deque()
        # as a learner would, memory is used again: a page's first touch costs more than an episode
        self._spare = [self._new_batch() for _ in range(3)]
        self._num_opened = 0

    def ask(self, collection: Collection) -> None:
        """Keep at least a plan's worth of episodes waiting, on top of those in flight."""
        self._collection = collection
        while self._num_opened * self._plan_size < self._meter.num_episodes + 2 * self._plan_size:
            first_episode = self._num_opened * self._plan_size
            plan = BatchPlan((WORKFLOW_ID,) * self._plan_size, first_episode, weight_version=0)
            batch = self._spare.pop() if self._spare else self._new_batch()
            self._fillings.append(collection.open(plan, batch))
            self._num_opened += 1

    def count(self) -> None:
        """Count an episode that `Collection` has put into its row."""
        while self._fillings and self._fillings[0].full.is_set():
            batch = self._fillings.popleft().rows
            batch.clear()
            self._spare.append(batch)
        self._meter.count()
        self._meter.busy_s = self._collection.statistics().busy_s
        self.ask(self._collection)

    def _new_batch(self) -> Batch:
        batch = Batch(self._plan_size, self._num_steps)
        for values in vars(batch).values():
            if isinstance(values, np.ndarray):
                values.fill(0)
        return batch


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes and microseconds per episode; see `Row`."""

    to_worker: float = 0.0
    to_parent: float = 0.0
    serialization_us: float = 0.0
    raw: float = 0.0
    shared: int = 0


async def measure_product(job: Job) -> Row:
    """Measure a method of the product's."""
    meter, tap = Meter(), PipeTap()
    config = config_of(job)
    game = replace(game_spec(config), num_steps=job.num_steps)
    if job.engine == "synthetic":
        game = synthetic_game(job.num_steps, job.step_ms, job.spread)
    task_size = config.task_size
    demand = Demand(meter, job.num_steps, -(-max(MIN_PLAN, config.num_slots) // task_size) * task_size)
    with (
        EpisodeRing.create(HEADER, game.record, config.num_slots) as ring,
        WeightBoard.create(game.shape.actor.num_values, config.num_slabs) as board,
    ):
        board.publish(_weights())
        collector = make_collector(config, game, ring, board)
        collection = Collection(
            ring, collector, run_seed=RUN_SEED, episodes_per_task=task_size, on_episode=demand.count, on_lost=_refuse
        )
        try:
            await collector.start()
            demand.ask(collection)
            async with asyncio.TaskGroup() as group:
                collecting = group.create_task(collection.run())
                window, pss = await _time(
                    job, meter, tap, collector.max_tasks * task_size, lambda: collector.num_alive == config.num_players
                )
                collecting.cancel()
        finally:
            await collector.close()
        slot_bytes = ring.statistics().slot_bytes
    traffic = _traffic(job, tap, window.num_episodes, task_size, slot_bytes)
    return _row(job, meter, window, traffic, pss)


async def measure_prototype(job: Job) -> Row:
    """Measure the prototype's way: one episode per task, lists back as the task's result."""
    meter, tap = Meter(), PipeTap()
    loop = asyncio.get_running_loop()
    weights = prototype.initial_weights()
    indices = iter(range(sys.maxsize))
    pids: set[int] = set()

    async def lane() -> None:
        while True:
            seeds = (int(part[0]) for part in seeding.episode_seeds(RUN_SEED, WORKFLOW_ID, [next(indices)]))
            arguments = (weights, WORKFLOW_ID, job.red_agent, *seeds)
            _, busy_s, pid = await loop.run_in_executor(pool, prototype.collect_timed, *arguments)
            meter.busy_s += busy_s
            pids.add(pid)
            meter.count()

    with ProcessPoolExecutor(job.workers, get_context("spawn")) as pool:
        async with asyncio.TaskGroup() as group:
            lanes = [group.create_task(lane()) for _ in range(2 * job.workers)]
            window, pss = await _time(job, meter, tap, 2 * job.workers, lambda: len(pids) == job.workers)
            for task in lanes:
                task.cancel()
        pool.shutdown(cancel_futures=True)
    return _row(job, meter, window, _traffic(job, tap, window.num_episodes, 1, 0), pss)


async def _time(
    job: Job, meter: Meter, tap: PipeTap, num_in_flight: int, is_up: Callable[[], bool]
) -> tuple[Window, int]:
    """Wait until all that is first in flight has come back, then time a window; also return the memory in use."""
    try:
        async with asyncio.timeout(START_LIMIT_S):
            await meter.warm_up(job.warm_up_s, num_in_flight, is_up)
    except TimeoutError:
        raise PipelineError(
            f"{meter.num_episodes} episodes in {START_LIMIT_S:.0f} s, and not all workers up: try fewer workers"
        ) from None
    with tap.open():
        window = await meter.window(job.seconds, job.episodes)
    return window, pss_bytes()


def _traffic(job: Job, tap: PipeTap, num_episodes: int, task_size: int, slot_bytes: int) -> Traffic:
    """Work out what an episode's way to the parent costs."""
    if job.method == "sequential":
        return Traffic()
    if job.method == "synchronous":
        return Traffic(raw=(tap.num_sent_bytes + tap.num_received_bytes) / num_episodes, shared=slot_bytes)
    call, answer = tap.last_sent, tap.last_received
    if job.method != "ray" and not (call and answer):
        raise PipelineError("no message passed while it was measured: give it longer --seconds")
    if job.method == "ray":
        call, answer = _ray_messages(task_size, slot_bytes)
    return Traffic(
        to_worker=len(call) / task_size,
        to_parent=len(answer) / task_size,
        serialization_us=(round_trip_us(call) + round_trip_us(answer)) / task_size,
        shared=slot_bytes if job.method == "shm" else 0,
    )


def _ray_messages(task_size: int, slot_bytes: int) -> tuple[bytes, bytes]:
    """Return the likes of what Ray is given per task: headers and a reference to the weights, and the slots' bytes."""
    from ray import ObjectRef

    arguments = ObjectRef.nil().binary(), np.zeros((task_size, HEADER.size_bytes), np.uint8)
    return pickle.dumps(arguments, 5), pickle.dumps(np.zeros((task_size, slot_bytes), np.uint8), 5)


def _row(job: Job, meter: Meter, window: Window, traffic: Traffic, pss: int) -> Row:
    # an episode that began before the window counts as a whole, which may come to a little more than all the time
    idle_share = max(0.0, 1.0 - window.busy_s / (job.workers * window.seconds))
    return Row(
        method=job.method,
        engine=job.engine,
        red_agent=job.red_agent,
        workers=job.workers,
        episodes=window.num_episodes,
        window_s=window.seconds,
        episodes_per_s=window.num_episodes / window.seconds,
        first_episode_s=meter.first_s or 0.0,
        idle_share=idle_share,
        parent_cpu_share=window.parent_cpu_share,
        children_cpu_share=window.children_cpu_share,
        pickled_bytes_per_episode=traffic.to_worker + traffic.to_parent,
        pickled_bytes_to_worker=traffic.to_worker,
        pickled_bytes_to_parent=traffic.to_parent,
        serialization_us_per_episode=traffic.serialization_us,
        raw_bytes_per_episode=traffic.raw,
        shared_bytes_per_episode=traffic.shared,
        pss_bytes=pss,
    )


def _weights() -> npt.NDArray[np.float32]:
    generator = seeding.generator(RUN_SEED, seeding.Stream.POLICY_INIT, WORKFLOW_ID)
    return network.create(generator, "orthogonal", PLAIN).actor_weights()


def _refuse(num_episodes: int) -> None:
    raise PipelineError(f"workers died during a benchmark, {num_episodes} episodes are lost: is memory short?")


def main() -> int:
    """Measure the job that the command line gives, print its row as JSON; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "job", metavar="JOB", help="a `Job` of parts/rows.py as JSON; compare.py and throughput.py start it"
    )
    job = Job(**json.loads(parser.parse_args().job))
    sweep_stale()
    try:
        row = asyncio.run(measure_prototype(job) if job.method == "prototype" else measure_product(job))
    except KeyboardInterrupt:
        return 130
    except (PipelineError, ExceptionGroup) as error:
        if not isinstance(reason := _first(error), PipelineError):
            raise
        print(f"{job.method}: {reason}", file=sys.stderr)
        return 1
    print(json.dumps(row.to_json()))
    return 0


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
