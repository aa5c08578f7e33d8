from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import pytest_asyncio

from native_buffers.slots import SlotState
from pipeline import seeding
from pipeline.collect import deadline, watch
from pipeline.collect.collection import MAX_FRUITLESS_REBUILDS, Collection, WorkersKeepDyingError
from pipeline.collect.deadline import Deadline, Flight
from pipeline.collect.executor import ExecutorCollector
from pipeline.collect.scheduler import MAX_ATTEMPTS, EpisodeGivenUpError
from pipeline.collect.transport import Pickled, SharedMemory
from pipeline.filling import BatchPlan
from pipeline.play.record import write_failure
from pipeline.workers.death import WorkersDiedError
from pipeline.workers.shared import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    from conftest import OpenStage, Stage

    from pipeline.collect.collector import Collector
    from pipeline.filling import Filling

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 60
RUN_SEED = 7  # as the stage's expectations have it
ENDLESS_STEPS = 200_000
"""Steps of an episode that no worker finishes before the test has done with it: half a minute."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector(stage: Stage) -> AsyncIterator[ExecutorCollector]:
    """Two workers, for the tests that do no harm to them."""
    async with started(stage, 2) as collector:
        yield collector


@pytest.fixture(scope="module")
def endless(open_stage: OpenStage) -> Iterator[Stage]:
    with open_stage(ENDLESS_STEPS) as stage:
        yield stage


@contextlib.asynccontextmanager
async def started(stage: Stage, num_workers: int, transport: str = "shm") -> AsyncIterator[ExecutorCollector]:
    pickled = Pickled(stage.spec.game, stage.ring, stage.board)
    collector = ExecutorCollector(
        pickled if transport == "pickle" else SharedMemory(stage.spec, stage.ring), num_workers
    )
    try:
        await collector.start()
        yield collector
    finally:
        await collector.close()


class Kept:
    """Rows that keep all of their episodes, and call somebody at each."""

    def __init__(self, num_rows: int, on_put: Callable[[int], None]) -> None:
        self.records: dict[int, dict[str, np.ndarray[Any, Any]]] = {}
        self._num_rows = num_rows
        self._on_put = on_put

    @property
    def num_filled(self) -> int:
        return len(self.records)

    @property
    def full(self) -> bool:
        return self.num_filled == self._num_rows

    def put(self, row: int, record: Mapping[str, np.ndarray[Any, Any]], workflow_id: int) -> None:
        assert row not in self.records
        self.records[row] = {name: view.copy() for name, view in record.items()}
        self._on_put(row)


class Collecting:
    """A collection that runs, and what it collected."""

    def __init__(self, stage: Stage, collector: Collector, episodes_per_task: int) -> None:
        self.stage = stage
        self.order: list[tuple[int, int]] = []
        """Batch index and row of each episode, as they were put."""
        self.told: list[int] = []
        """How many had been put whenever the collection told of one."""
        self.lost: list[int] = []
        self.collection = Collection(
            stage.ring,
            collector,
            run_seed=RUN_SEED,
            episodes_per_task=episodes_per_task,
            on_episode=lambda: self.told.append(len(self.order)),
            on_lost=self.lost.append,
        )
        self.running = asyncio.create_task(self.collection.run())

    def open(self, plan: BatchPlan) -> Filling[Kept]:
        rows = Kept(plan.num_episodes, lambda row: self.order.append((filling.batch_index, row)))
        filling = self.collection.open(plan, rows)
        return filling

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition; what ends the run first is raised."""
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():
                if self.running.done():
                    await self.running
                await asyncio.sleep(0.001)

    async def until_landed(self) -> None:
        await self.until(lambda: self.collection.statistics().num_in_flight == 0)

    async def until_lost_or_failed(self, num_losses: int) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.lost) < num_losses and not self.running.done():  # noqa: ASYNC110  # nobody sets an event
                await asyncio.sleep(0.001)

    def slots_playing(self) -> list[int]:
        """Return the slots that a worker has begun with."""
        leased = np.flatnonzero(self.stage.ring.states() == SlotState.LEASED).tolist()
        return [slot for slot in leased if self.stage.ring.header(slot)["worker_pid"]]

    def playing(self) -> set[int]:
        """Return the processes that play them."""
        return {int(self.stage.ring.header(slot)["worker_pid"]) for slot in self.slots_playing()}

    def assert_full(self, filling: Filling[Kept]) -> None:
        """Every row is there, as this process plays it."""
        assert filling.full.is_set()
        plan = filling.plan
        assert filling.rows.records.keys() == set(range(plan.num_episodes))
        for row, record in filling.rows.records.items():
            expected = self.stage.expected(plan.workflow_ids[row], plan.first_episode + row, plan.weight_version)
            assert record.keys() == expected.keys()
            for name, field in record.items():
                assert field.tobytes() == expected[name].tobytes(), (plan, row, name)


@contextlib.asynccontextmanager
async def collecting(stage: Stage, collector: Collector, episodes_per_task: int = 2) -> AsyncIterator[Collecting]:
    running = Collecting(stage, collector, episodes_per_task)
    try:
        yield running
    finally:
        running.running.cancel()
        await asyncio.wait({running.running}, timeout=TIMEOUT_S)


async def failure(run: Collecting) -> BaseException:
    """Wait for the run to fail, and return what it failed of."""
    with pytest.raises(ExceptionGroup) as group:
        await asyncio.wait_for(asyncio.shield(run.running), TIMEOUT_S)
    (error,) = group.value.exceptions
    return error


@pytest.mark.parametrize("episodes_per_task", [1, 3, 100])
async def test_every_episode_is_handed_over_once_with_its_bits(
    stage: Stage, collector: Collector, episodes_per_task: int
) -> None:
    plans = [
        BatchPlan((17,) * 11, 30, weight_version=0),
        BatchPlan((17,) * 4, 41, 1),
        BatchPlan((90,) * 2, 0, 1),
    ]
    async with collecting(stage, collector, episodes_per_task) as run:
        fillings = [run.open(plan) for plan in plans]
        await run.until(lambda: len(run.order) == 17)
        await run.until_landed()
        statistics = run.collection.statistics()
    for filling in fillings:
        run.assert_full(filling)
    assert (statistics.num_collected, statistics.num_waiting) == (17, 0)
    assert (statistics.num_discarded, statistics.num_lost, run.lost) == (0, 0, [])
    assert statistics.busy_s > 0
    assert run.told == list(range(1, 18))  # of each, once it is in its row
    assert stage.ring.num_free == stage.ring.num_slots


async def test_the_fast_engine_hands_over_what_cyborg_plays(stage: Stage) -> None:
    plan = BatchPlan((64,) * 20, 100, weight_version=1)
    fast = stage.playing(engine="fast")
    async with started(fast, 2) as collector, collecting(fast, collector, episodes_per_task=4) as run:
        filling = run.open(plan)
        await run.until(filling.full.is_set)
        await run.until_landed()
    run.assert_full(filling)  # by CybORG, in this process


async def test_a_slot_says_what_is_played_in_it(stage: Stage, collector: ExecutorCollector) -> None:
    headers: dict[int, dict[str, Any]] = {}

    class Headers(Kept):
        def put(self, row: int, record: Mapping[str, np.ndarray[Any, Any]], workflow_id: int) -> None:
            assert workflow_id == plan.workflow_ids[row]
            slot = next(slot for slot in range(stage.ring.num_slots) if stage.ring.record(slot) is record)
            headers[row] = {name: view.item() for name, view in stage.ring.header(slot).items()}
            super().put(row, record, workflow_id)

    plan = BatchPlan((8, 8, 61, 8), 50, weight_version=1)
    async with collecting(stage, collector) as run:
        filling = run.collection.open(plan, Headers(4, lambda _: None))
        await asyncio.wait_for(filling.full.wait(), TIMEOUT_S)
        await run.until_landed()
    assert headers.keys() == {0, 1, 2, 3}
    environment, actions = seeding.episode_seeds(RUN_SEED, plan.workflow_ids, range(50, 54))
    for row, header in headers.items():
        assert (header["workflow_id"], header["weight_version"]) == (plan.workflow_ids[row], 1)
        assert (header["environment_seed"], header["actions_seed"]) == (environment[row], actions[row])
        assert (header["greedy"], header["failed"]) == (0, 0)
        assert 0 < header["started_s"] < header["finished_s"]


async def test_tasks_are_few_and_as_long_as_asked(stage: Stage) -> None:
    class Counted(ExecutorCollector):
        num_tasks = most_tasks = 0
        lengths: tuple[int, ...] = ()

        async def play(self, slots: tuple[int, ...]) -> None:
            self.num_tasks += 1
            self.most_tasks = max(self.most_tasks, self.num_tasks)
            self.lengths += (len(slots),)
            await super().play(slots)
            self.num_tasks -= 1

    counted = Counted(SharedMemory(stage.spec, stage.ring), 1)
    try:
        async with collecting(stage, counted, episodes_per_task=3) as run:
            run.open(BatchPlan((0,) * 11, 0, 0))
            await run.until(lambda: len(run.order) == 11)
    finally:
        await counted.close()
    assert counted.most_tasks == counted.max_tasks == 2
    assert counted.lengths == (3, 3, 3, 2)
    assert run.order == [(0, row) for row in range(11)]  # one worker plays in order


async def test_what_is_asked_for_while_all_rest_is_played(stage: Stage, collector: ExecutorCollector) -> None:
    async with collecting(stage, collector) as run:
        for workflow_id in range(3):
            await run.until_landed()
            filling = run.open(BatchPlan((workflow_id,), 0, 0))
            await run.until(filling.full.is_set)
            run.assert_full(filling)


async def test_a_closed_batch_is_dropped_unseen(stage: Stage, collector: ExecutorCollector) -> None:
    async with collecting(stage, collector) as run:
        unwanted = run.open(BatchPlan((1,) * 30, 0, 0))
        await run.until(lambda: run.collection.statistics().num_in_flight)
        unwanted.close()
        num_put = unwanted.rows.num_filled
        filling = run.open(BatchPlan((2,) * 5, 0, 1))
        await run.until(filling.full.is_set)
        await run.until_landed()
        statistics = run.collection.statistics()
    run.assert_full(filling)
    assert unwanted.rows.num_filled == num_put
    assert not unwanted.full.is_set()
    assert statistics.num_discarded > 0
    assert statistics.num_collected == num_put + 5
    assert num_put + statistics.num_discarded < 30
    assert run.told == list(range(1, num_put + 6))
    assert stage.ring.num_free == stage.ring.num_slots


async def test_only_training_counts_as_filling(stage: Stage, collector: ExecutorCollector) -> None:
    collection = Collection(
        stage.ring, collector, run_seed=RUN_SEED, episodes_per_task=1, on_episode=lambda: None, on_lost=lambda _: None
    )

    def fill(filling: Filling[Kept], row: int) -> None:
        filling.put(row, {"reward_tenths": np.zeros(1, np.int16)})

    assert collection.filling() is None
    evaluation = collection.open(BatchPlan((1,) * 2, 0, 0, evaluation=True), Kept(2, lambda _: None))
    assert collection.filling() is None
    first, second = (collection.open(BatchPlan((1,) * 2, 0, 0), Kept(2, lambda _: None)) for _ in range(2))
    assert [each.batch_index for each in (evaluation, first, second)] == [0, 1, 2]
    fill(first, 1)
    fill(second, 0)
    assert collection.filling() == (1, 1, 2)  # of two the one that was asked for first
    fill(first, 0)
    assert collection.filling() == (2, 1, 2)
    second.close()
    assert collection.filling() is None
    assert collection.statistics().num_waiting == 2  # the evaluation's


async def test_an_episode_whose_worker_was_killed_is_played_again_the_same(open_stage: OpenStage) -> None:
    plan = BatchPlan((33,) * 6, 5, weight_version=1)
    with open_stage(num_steps=300) as stage:
        async with started(stage, 2) as collector, collecting(stage, collector) as run:
            filling = run.open(plan)
            await run.until(run.playing)
            killed = min(run.playing())
            os.kill(killed, signal.SIGKILL)
            await run.until(lambda: run.lost)
            assert killed not in run.playing()
            await run.until(lambda: len(run.order) == 6)
            statistics = run.collection.statistics()
            assert collector.num_rebuilds == 1
        run.assert_full(filling)
        assert sum(run.lost) == statistics.num_lost > 0
        assert statistics.num_collected == 6
        assert stage.ring.num_free == stage.ring.num_slots


async def test_an_episode_that_kills_its_worker_every_time_is_given_up(endless: Stage) -> None:
    async with started(endless, 1) as collector, collecting(endless, collector) as run:
        run.open(BatchPlan((2,) * 2, 70, 0))
        environment, _ = seeding.episode_seeds(RUN_SEED, 2, [70, 71])
        for attempt in range(MAX_ATTEMPTS):
            await run.until(run.playing)
            (slot,) = run.slots_playing()
            header = endless.ring.header(slot)
            # only the one that was being played is to blame, and only it is given up
            assert header["environment_seed"] == environment[0]
            os.kill(int(header["worker_pid"]), signal.SIGKILL)
            await run.until_lost_or_failed(attempt + 1)
        error = await failure(run)
    assert isinstance(error, EpisodeGivenUpError)
    assert "episode 70 of workflow 2 failed 3 times: its worker process died" in str(error)
    assert endless.ring.num_free == endless.ring.num_slots


async def test_an_episode_that_raises_every_time_is_given_up_with_its_traceback(
    stage: Stage, collector: ExecutorCollector
) -> None:
    async with collecting(stage, collector) as run:
        fine = run.open(BatchPlan((1,) * 3, 0, 0))
        await run.until(fine.full.is_set)
        await run.until_landed()
        run.open(BatchPlan((1,) * 1, 3, weight_version=99))
        error = await failure(run)
    assert isinstance(error, EpisodeGivenUpError)
    assert "episode 3 of workflow 1 failed 3 times" in str(error)
    assert "StaleWeights" in str(error)
    assert run.lost == [1, 1]
    assert collector.num_rebuilds == 0


async def test_workers_that_can_not_start_are_reported(stage: Stage) -> None:
    wrong = stage.playing(red_agent="PinkAgent")
    async with started(wrong, 1) as collector, collecting(wrong, collector) as run:
        run.open(BatchPlan((1,) * 1, 0, 0))
        error = await failure(run)
    assert isinstance(error, EpisodeGivenUpError)
    assert "unknown Red agent 'PinkAgent'" in str(error)


async def test_workers_that_keep_dying_end_the_run(endless: Stage) -> None:
    slots = [endless.lease() for _ in range(endless.ring.num_slots)]
    for slot in slots:  # what an earlier use left there blames nobody
        write_failure(endless.ring.header(slot), "an old failure")
    endless.drop(*slots)
    async with started(endless, 1) as collector, collecting(endless, collector) as run:
        run.open(BatchPlan((1,) * 1, 0, 0))
        for num_rebuilds in range(MAX_FRUITLESS_REBUILDS):
            await run.until(run.playing)
            # SIGTERM is how the executor itself ends workers: no episode is to blame for it
            os.kill(*run.playing(), signal.SIGTERM)
            await run.until_lost_or_failed(num_rebuilds + 1)
        error = await failure(run)
    assert isinstance(error, WorkersKeepDyingError)
    assert "dmesg" in str(error)
    assert run.lost == [1] * (MAX_FRUITLESS_REBUILDS - 1)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes otherwise: an episode has half a second, once a worker has begun it, however busy it is."""
    is_overdue = Flight.is_overdue
    monkeypatch.setattr(Flight, "is_overdue", lambda self, *times: not self.is_waiting and is_overdue(self, *times))
    monkeypatch.setattr(deadline, "FIRST_S", 0.5)
    monkeypatch.setattr(watch, "INTERVAL_S", 0.02)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("transport", ["shm", "pickle"])
async def test_an_episode_that_hangs_is_given_up(endless: Stage, transport: str) -> None:
    async with started(endless, 2, transport) as collector, collecting(endless, collector, episodes_per_task=1) as run:
        run.open(BatchPlan((1,) * 1, 5, 0))
        error = await failure(run)
    assert isinstance(error, EpisodeGivenUpError)
    assert "episode 5 of workflow 1 failed 3 times: it did not end within" in str(error)
    assert "environment seed" in str(error)
    assert run.lost == [1, 1]
    assert collector.num_rebuilds == 3


@pytest.mark.parametrize("transport", ["shm", "pickle"])
async def test_a_worker_that_hangs_between_episodes_is_replaced(
    stage: Stage, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = BatchPlan((3,) * 4, 0, 0)
    async with started(stage, 1, transport) as collector:
        (process,) = collector._pool._processes
        assert process.pid is not None
        stopped = process.pid
        os.kill(stopped, signal.SIGSTOP)
        # time runs only while it hangs, so that a busy machine is none that hangs
        monkeypatch.setattr(Deadline, "limit_s", lambda *_: 0.5 if psutil.pid_exists(stopped) else math.inf)
        monkeypatch.setattr(watch, "INTERVAL_S", 0.02)
        async with collecting(stage, collector) as run:
            filling = run.open(plan)
            await run.until(filling.full.is_set)
            await run.until_landed()
        assert collector.num_rebuilds == 1
    run.assert_full(filling)


@pytest.mark.usefixtures("impatient")
async def test_a_worker_that_hangs_writes_down_where(endless: Stage, tmp_path: Path) -> None:
    faults = tmp_path / "faults.log"
    spec = replace(endless.spec, faults_path=str(faults))
    collector = ExecutorCollector(SharedMemory(spec, endless.ring), 1)
    try:
        await collector.start()
        async with collecting(endless, collector) as run:
            run.open(BatchPlan((1,) * 1, 5, 0))
            await run.until(lambda: run.lost)
    finally:
        await collector.close()
    assert "in play_episode" in faults.read_text()
    endless.drop(*np.flatnonzero(endless.ring.states() == SlotState.LEASED).tolist())


@dataclass(frozen=True)
class Death:
    """Of a pool, told by a task that it was given."""

    generation: int
    num_finished: int = 0
    """Episodes of the task that were filled before."""


class Mortal:
    """Collects in this process; each task in turn meets the fate that it was given, and the rest are played."""

    def __init__(self, stage: Stage, max_tasks: int, fates: list[Death | None]) -> None:
        self.max_tasks = max_tasks
        self.num_alive = 1
        self.num_rebuilds = 0
        self.fates = fates
        self._worker = Worker(stage.playing(engine="fast").spec)

    async def start(self) -> None: ...

    async def kill(self, slots: tuple[int, ...]) -> None: ...

    async def close(self) -> None: ...

    async def play(self, slots: tuple[int, ...]) -> None:
        fate = self.fates.pop(0) if self.fates else None
        await asyncio.sleep(0)
        for slot in slots if fate is None else slots[: fate.num_finished]:
            self._worker.play(slot)
        if fate is not None:
            raise WorkersDiedError(fate.generation, frozenset())


class Held(Mortal):
    """Keeps every task until it is cancelled: what workers would tell is written by the test."""

    async def play(self, slots: tuple[int, ...]) -> None:
        await asyncio.Event().wait()


async def test_a_task_that_waits_is_not_overdue_while_another_one_gets_on(stage: Stage) -> None:
    async with collecting(stage, Held(stage, 2, []), episodes_per_task=3) as run:
        run.open(BatchPlan((3,) * 6, 0, 0))
        await run.until(lambda: len(run.collection._tasks) == 2)
        tasks, limit_s = run.collection._tasks, deadline.FIRST_S
        (played, played_s), (waiting, _) = tasks._submitted_s.items()
        for slot in played:  # each episode takes as long as it may, and so the task takes three times as long
            header = stage.ring.header(slot)
            header["worker_pid"][...], header["started_s"][...] = 7, played_s
            assert tasks.overdue(played_s + limit_s) == []
            played_s += limit_s
            header["finished_s"][...] = played_s
        assert [slots for slots, _ in tasks.overdue(played_s + limit_s + 1)] == [played, waiting]
    stage.drop(*played, *waiting)


async def test_an_episode_in_between_is_a_sign_of_hope(stage: Stage) -> None:
    deaths = [Death(generation) for generation in range(2 * MAX_FRUITLESS_REBUILDS)]
    almost = MAX_FRUITLESS_REBUILDS - 1
    plan = BatchPlan((3,) * 2, 0, 0)
    mortal = Mortal(stage, 1, [*deaths[:almost], None, *deaths[almost : 2 * almost]])
    async with collecting(stage, mortal, episodes_per_task=1) as run:
        filling = run.open(plan)
        await run.until(filling.full.is_set)
    run.assert_full(filling)
    assert run.lost == [1] * 2 * almost

    mortal = Mortal(stage, 1, [None, *deaths])
    async with collecting(stage, mortal, episodes_per_task=1) as run:
        run.open(plan)
        assert isinstance(await failure(run), WorkersKeepDyingError)
    assert len(run.order) == 1
    assert len(mortal.fates) == len(deaths) - MAX_FRUITLESS_REBUILDS


async def test_tasks_that_are_lost_together_count_as_one_death(stage: Stage) -> None:
    plan = BatchPlan((3,) * 8, 0, 0)
    async with collecting(stage, Mortal(stage, 8, [Death(0)] * 8), episodes_per_task=1) as run:
        filling = run.open(plan)
        await run.until(filling.full.is_set)
    run.assert_full(filling)
    assert run.lost == [1] * 8


async def test_what_was_finished_before_its_worker_died_is_kept(stage: Stage) -> None:
    plan = BatchPlan((3,) * 6, 0, 0)
    async with collecting(stage, Mortal(stage, 1, [Death(0, num_finished=2)]), episodes_per_task=3) as run:
        filling = run.open(plan)
        await run.until(filling.full.is_set)
    run.assert_full(filling)
    # two of three; then the lost one, by itself; then the rest
    assert run.order == [(0, row) for row in range(6)]
    assert run.lost == [1]


async def test_a_debug_run_plays_the_same_bits(open_stage: OpenStage) -> None:
    plan = BatchPlan((119,) * 6, 2, 1)
    with open_stage(num_steps=20, num_slots=4, debug=True) as stage:
        async with started(stage, 1) as collector, collecting(stage, collector) as run:
            filling = run.open(plan)
            await run.until(filling.full.is_set)
        run.assert_full(filling)


async def test_cancelling_leaves_no_task_behind(endless: Stage) -> None:
    async with started(endless, 2) as collector:
        before = asyncio.all_tasks()
        async with collecting(endless, collector) as run:
            run.open(BatchPlan((0,) * 8, 0, 0))
            await run.until(lambda: len(run.playing()) == 2)
        assert run.running.cancelled()
        assert asyncio.all_tasks() == before
    endless.drop(*np.flatnonzero(endless.ring.states() == SlotState.LEASED).tolist())
