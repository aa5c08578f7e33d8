from __future__ import annotations

import asyncio
import contextlib
import multiprocessing.connection
import multiprocessing.queues
import os
import signal
from concurrent.futures.process import _CallItem, _ResultItem
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio

from native_buffers.slots import SlotState
from pipeline.collect.executor import ExecutorCollector
from pipeline.collect.transport import Pickled, SharedMemory
from pipeline.play.record import read_failure
from pipeline.workers.death import WorkersDiedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conftest import OpenStage, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 30
ENDLESS_STEPS = 200_000
"""Steps of an episode that no worker finishes before the test has done with it: half a minute."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector(stage: Stage) -> AsyncIterator[ExecutorCollector]:
    async with collecting(stage, 2) as started:
        yield started


@pytest.fixture(scope="module")
def endless(open_stage: OpenStage) -> Iterator[Stage]:
    with open_stage(ENDLESS_STEPS) as stage:
        yield stage


@contextlib.asynccontextmanager
async def collecting(stage: Stage, num_workers: int) -> AsyncIterator[ExecutorCollector]:
    """A started collector, closed and then looked for survivors."""
    collector = ExecutorCollector(SharedMemory(stage.spec, stage.ring), num_workers)
    try:
        await asyncio.wait_for(collector.start(), TIMEOUT_S)
        yield collector
    finally:
        pids = worker_pids(collector)
        await asyncio.wait_for(collector.close(), TIMEOUT_S)
        assert not alive(pids)
        assert collector.num_alive == 0


def worker_pids(collector: ExecutorCollector) -> set[int]:
    return {process.pid for process in collector._pool._processes if process.pid is not None}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  # what is awaited happens in other processes
            await asyncio.sleep(0.001)


def player(stage: Stage, slot: int) -> int:
    """Return the process that plays a slot, or 0."""
    return int(stage.ring.header(slot)["worker_pid"])


async def test_workers_play_the_same_bits_as_this_process(stage: Stage, collector: ExecutorCollector) -> None:
    asked = [(workflow_id, 10 + row, row % 2, row // 3) for row, workflow_id in enumerate((0, 7, 119, 7, 50, 0))]
    slots = [stage.lease(*each) for each in asked]
    await asyncio.gather(*(collector.play(tuple(slots[first : first + 2])) for first in range(0, 6, 2)))

    assert collector.num_alive == 2
    assert {player(stage, slot) for slot in slots} <= worker_pids(collector)
    assert os.getpid() not in {player(stage, slot) for slot in slots}
    for slot, each in zip(slots, asked, strict=True):
        record, expected = stage.take(slot), stage.expected(*each)
        assert {name: field.tobytes() for name, field in record.items()} == {
            name: field.tobytes() for name, field in expected.items()
        }


async def test_little_is_pickled(stage: Stage, collector: ExecutorCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[type, list[int]] = {_CallItem: [], _ResultItem: []}

    class Weighed(ForkingPickler):
        """Weighs the items that pass, with the length that goes before each on its pipe."""

        @classmethod
        def dumps(cls, obj: Any, protocol: int | None = None) -> Any:
            data = ForkingPickler.dumps(obj, protocol)
            sizes.setdefault(type(obj), []).append(len(data) + 4)
            return data

        @staticmethod
        def loads(data: Any) -> Any:
            obj = ForkingPickler.loads(data)
            sizes.setdefault(type(obj), []).append(len(data) + 4)
            return obj

    monkeypatch.setattr(multiprocessing.queues, "_ForkingPickler", Weighed)
    monkeypatch.setattr(multiprocessing.connection, "_ForkingPickler", Weighed)
    num_tasks = 3
    for _ in range(num_tasks):
        slots = tuple(stage.lease() for _ in range(4))
        await collector.play(slots)
        for slot in slots:
            stage.take(slot)

    calls, results = sizes[_CallItem], sizes[_ResultItem]
    assert (len(calls), len(results)) == (num_tasks, num_tasks)
    assert (sum(calls) + sum(results)) / (4 * num_tasks) <= 100


async def test_a_killed_worker_costs_one_pool(endless: Stage) -> None:
    async with collecting(endless, 2) as collector:
        slots = [endless.lease() for _ in range(4)]
        tasks = [asyncio.create_task(collector.play(pair)) for pair in ((slots[0], slots[1]), (slots[2], slots[3]))]
        await until(lambda: player(endless, slots[0]) and player(endless, slots[2]))
        first_pool = worker_pids(collector)
        killed, survivor = player(endless, slots[0]), player(endless, slots[2])
        assert {killed, survivor} == first_pool
        os.kill(killed, signal.SIGKILL)
        errors = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), TIMEOUT_S)

        # nobody is left to write to a slot that is leased again
        assert not alive(first_pool)
        for error in errors:
            assert isinstance(error, WorkersDiedError)
            assert (error.generation, error.casualties) == (0, {killed})
            assert str(killed) in str(error)
        assert collector.num_rebuilds == 1
        assert [endless.ring.state(slot) for slot in slots] == [SlotState.LEASED] * 4
        assert [player(endless, slot) for slot in slots] == [killed, 0, survivor, 0]
        endless.drop(*slots)


async def test_a_task_that_hangs_is_killed(endless: Stage) -> None:
    async with collecting(endless, 2) as collector:
        slots = [endless.lease() for _ in range(2)]
        tasks = [asyncio.create_task(collector.play((slot,))) for slot in slots]
        await until(lambda: all(player(endless, slot) for slot in slots))
        killed = player(endless, slots[1])
        assert await collector.kill((slots[1],))
        errors = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), TIMEOUT_S)
        for error in errors:
            assert isinstance(error, WorkersDiedError)
            assert error.casualties == {killed}
        assert not await collector.kill((slots[1],))  # it is gone
        endless.drop(*slots)


async def test_a_failed_start_is_told_and_leaves_the_pool_whole(stage: Stage) -> None:
    async with collecting(stage.playing(red_agent="PinkAgent"), 1) as collector:
        slots = stage.lease(), stage.lease()
        for slot in slots:
            await asyncio.wait_for(collector.play((slot,)), TIMEOUT_S)
            assert "unknown Red agent 'PinkAgent'" in (read_failure(stage.ring.header(slot)) or "")
        assert (collector.num_rebuilds, collector.num_alive) == (0, 1)
        stage.drop(*slots)


async def test_close_ends_what_is_being_played(endless: Stage) -> None:
    async with collecting(endless, 2) as collector:
        slots = [endless.lease() for _ in range(4)]
        tasks = [asyncio.create_task(collector.play((slot,))) for slot in slots]
        await until(lambda: sum(player(endless, slot) > 0 for slot in slots) == 2)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        assert collector.num_alive == 2
    assert [endless.ring.state(slot) for slot in slots] == [SlotState.LEASED] * 4
    endless.drop(*slots)


LONG_ANSWER = 64
"""Episodes of a parcel that no pipe holds at once."""


@contextlib.asynccontextmanager
async def answering(open_stage: OpenStage) -> AsyncIterator[tuple[ExecutorCollector, list[asyncio.Task[None]], Stage]]:
    """Two workers that send long pickled answers all the time, half of which wait in a pipe that is full."""
    with open_stage(num_slots=4 * LONG_ANSWER) as cyborg:
        stage = cyborg.playing(engine="fast")
        collector = ExecutorCollector(Pickled(stage.spec.game, stage.ring, stage.board), 2)
        await collector.start()
        tasks = [
            asyncio.create_task(collector.play(tuple(stage.lease() for _ in range(LONG_ANSWER)))) for _ in range(4)
        ]
        try:
            yield collector, tasks, stage
        finally:
            await asyncio.wait_for(collector.close(), TIMEOUT_S)
            await asyncio.wait(tasks, timeout=TIMEOUT_S)


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.02, 0.03, 0.05])
async def test_a_worker_killed_in_the_midst_of_an_answer(open_stage: OpenStage, delay_s: float) -> None:
    async with answering(open_stage) as (collector, tasks, _):
        await asyncio.sleep(delay_s)  # any moment will do: none may end in a hang
        os.kill(min(worker_pids(collector)), signal.SIGKILL)
        _, pending = await asyncio.wait(tasks, timeout=0.5)
        if pending:  # the others wait for the one that died: the collection's watch has them killed
            await collector.kill((0,))
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), TIMEOUT_S)
        assert {type(result) for result in results} <= {type(None), WorkersDiedError}


@pytest.mark.parametrize("delay_s", [0.0, 0.01, 0.02, 0.03, 0.05])
async def test_closing_in_the_midst_of_an_answer(open_stage: OpenStage, delay_s: float) -> None:
    async with answering(open_stage) as (collector, tasks, _):
        await asyncio.sleep(delay_s)
        for task in tasks:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(collector.close(), collector.close()), TIMEOUT_S)
        assert collector.num_alive == 0
