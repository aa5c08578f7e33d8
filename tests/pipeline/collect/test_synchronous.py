from __future__ import annotations

import asyncio
import contextlib
import importlib
import multiprocessing
import operator
import os
import signal
import sys
from dataclasses import replace
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio

from native_buffers.slots import SlotState
from pipeline.collect.synchronous import SynchronousCollector
from pipeline.play.record import read_failure
from pipeline.workers.death import WorkersDiedError
from pipeline.workers.forkserver import ForkserverDiedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    import numpy as np
    from conftest import OpenStage, Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 30
NUM_STEPS = 100
RIGGED_GAME = """
import os
import signal
import time
from dataclasses import dataclass

from pipeline.play.game import GameSpec


@dataclass(frozen=True)
class RiggedGame(GameSpec):
    '''A game in which the episode of one environment seed misbehaves at step 5; each step is logged.'''
    seed: int = 0
    misbehavior: str = ""
    log: str = ""

    def env(self):
        return RiggedEnv(self, super().env())


class RiggedEnv:
    def __init__(self, game, env):
        self.game, self.env = game, env

    def reset(self, seed):
        self.is_rigged, self.t = seed == self.game.seed, 0
        return self.env.reset(seed)

    def red_hosts(self):
        return self.env.red_hosts()

    def step(self, action):
        begin_ns = time.monotonic_ns()
        if self.is_rigged and self.game.misbehavior == "slow":
            time.sleep(0.002)
        elif self.is_rigged and self.t == 5:
            self.note("misbehaves")
            if self.game.misbehavior == "raise":
                raise LookupError("rigged to raise")
            if self.game.misbehavior == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.game.misbehavior == "hang":
                time.sleep(3600)
        outcome = self.env.step(action)
        self.note(f"{self.t} {begin_ns} {time.monotonic_ns()}")
        self.t += 1
        return outcome

    def note(self, text):
        with open(self.game.log, "a") as log:
            log.write(text + "\\n")
"""

Record = dict[str, "np.ndarray[Any, np.dtype[Any]]"]


@contextlib.asynccontextmanager
async def collecting(stage: Stage, num_workers: int) -> AsyncIterator[SynchronousCollector]:
    """A started collector, closed and then looked for survivors."""
    collector = SynchronousCollector(stage.spec, stage.ring, stage.board, num_workers)
    try:
        await asyncio.wait_for(collector.start(), TIMEOUT_S)
        yield collector
    finally:
        await close(collector)


async def close(collector: SynchronousCollector) -> None:
    pids = set(worker_pids(collector))
    await asyncio.wait_for(collector.close(), TIMEOUT_S)
    assert not alive(pids)
    assert collector.num_alive == 0
    assert not {process.pid for process in multiprocessing.active_children()} & pids
    await until(lambda: not any(thread.is_alive() for thread in collector._thread._threads))


def worker_pids(collector: SynchronousCollector) -> list[int]:
    return [environment.handle.pid for environment in collector._environments]


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  # what is awaited happens in other processes
            await asyncio.sleep(0.001)


async def play(collector: SynchronousCollector, *slots: int) -> None:
    await asyncio.wait_for(collector.play(slots), TIMEOUT_S)


def player(stage: Stage, slot: int) -> int:
    """Return the process that plays a slot, or 0."""
    return int(stage.ring.header(slot)["worker_pid"])


def same(record: Record, expected: Record) -> bool:
    return {name: field.tobytes() for name, field in record.items()} == {
        name: field.tobytes() for name, field in expected.items()
    }


@pytest.fixture(scope="module")
def poisoned(open_stage: OpenStage) -> Iterator[Stage]:
    """A stage on which a slot that is not written whole can't be filled."""
    with open_stage(debug=True) as stage:
        yield stage.playing(engine="fast")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector(poisoned: Stage) -> AsyncIterator[SynchronousCollector]:
    async with collecting(poisoned, 3) as started:
        yield started


@pytest.fixture
def rig(poisoned: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stage]:
    """Return what makes a stage on which one episode misbehaves; `tmp_path / "log"` tells of all steps."""
    (tmp_path / "rigged_game.py").write_text(RIGGED_GAME)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "rigged_game", raising=False)
    game = importlib.import_module("rigged_game").RiggedGame

    def rig_one(misbehavior: str, episode_index: int) -> Stage:
        slot = poisoned.lease(0, episode_index)
        seed = int(poisoned.ring.header(slot)["environment_seed"])
        poisoned.drop(slot)
        rigged = game(**vars(poisoned.spec.game), seed=seed, misbehavior=misbehavior, log=str(tmp_path / "log"))
        return replace(poisoned, spec=replace(poisoned.spec, game=rigged))

    return rig_one


@pytest.mark.parametrize(("engine", "num_workers"), [("cyborg", 2), ("fast", 1), ("fast", 5)])
async def test_the_same_bits_as_in_this_process(poisoned: Stage, engine: str, num_workers: int) -> None:
    stage = poisoned.playing(engine=engine)
    async with collecting(stage, num_workers) as collector:
        assert (collector.max_tasks, collector.num_alive, collector.num_rebuilds) == (1, num_workers, 0)
        pids = worker_pids(collector)
        for task, num_slots in enumerate((num_workers, 1, num_workers)):
            asked = [(7 * task, 10 + row, task % 2, row % 2) for row in range(num_slots)]
            slots = [stage.lease(*each) for each in asked]
            await play(collector, *slots)
            assert [player(stage, slot) for slot in slots] == pids[:num_slots]
            for slot, each in zip(slots, asked, strict=True):
                header = {name: view.item() for name, view in stage.ring.header(slot).items()}
                assert 0 < header["busy_s"] < header["finished_s"] - header["started_s"]
                assert same(stage.take(slot), stage.expected(*each))
        assert worker_pids(collector) == pids
        assert collector.num_rebuilds == 0
        # the policy's thread takes subnormal numbers for 0, as a worker does
        assert collector._thread.submit(operator.truediv, sys.float_info.min, 2).result() == 0


async def test_no_environment_starts_a_step_before_all_have_ended_the_one_before(
    rig: Callable[..., Stage], tmp_path: Path
) -> None:
    stage = rig("slow", 1)
    async with collecting(stage, 3) as collector:
        slots = [stage.lease(0, index) for index in range(3)]
        await play(collector, *slots)
        assert [same(stage.take(slot), stage.expected(0, index)) for index, slot in enumerate(slots)] == [True] * 3

    begins_ns: list[list[int]] = [[] for _ in range(NUM_STEPS)]
    ends_ns: list[list[int]] = [[] for _ in range(NUM_STEPS)]
    for line in (tmp_path / "log").read_text().splitlines():
        t, begin_ns, end_ns = map(int, line.split())
        begins_ns[t].append(begin_ns)
        ends_ns[t].append(end_ns)
    assert {len(begins) for begins in begins_ns} == {3}
    assert all(max(ends) <= min(begins) for ends, begins in zip(ends_ns, begins_ns[1:], strict=False))
    # and within a step they run side by side: nobody waits for the slow one to begin
    assert sum(max(begins) < max(ends) - 2_000_000 for begins, ends in zip(begins_ns, ends_ns, strict=True)) > 0


async def test_an_episode_that_raises_leaves_the_others_alone(rig: Callable[..., Stage]) -> None:
    stage = rig("raise", 1)
    async with collecting(stage, 3) as collector:
        for _ in range(2):
            slots = [stage.lease(0, index) for index in range(3)]
            await play(collector, *slots)
            assert [stage.ring.state(slot) for slot in slots] == [
                SlotState.FILLED,
                SlotState.LEASED,
                SlotState.FILLED,
            ]
            told = read_failure(stage.ring.header(slots[1])) or ""
            assert "LookupError: rigged to raise" in told
            assert "rigged_game.py" in told  # where it was raised
            stage.drop(slots[1])
            assert same(stage.take(slots[0]), stage.expected(0, 0))
            assert same(stage.take(slots[2]), stage.expected(0, 2))
        assert (collector.num_alive, collector.num_rebuilds) == (3, 0)


async def test_a_process_that_dies_is_replaced_and_the_others_play_to_their_end(rig: Callable[..., Stage]) -> None:
    stage = rig("die", 1)
    async with collecting(stage, 3) as collector:
        for generation in range(2):
            before = set(worker_pids(collector))
            slots = [stage.lease(0, index) for index in range(3)]
            with pytest.raises(WorkersDiedError) as error:
                await play(collector, *slots)
            dead = player(stage, slots[1])
            assert (error.value.generation, error.value.casualties) == (generation, {dead})
            assert not alive({dead})
            assert set(worker_pids(collector)) & before == before - {dead}
            assert (collector.num_alive, collector.num_rebuilds) == (3, generation + 1)
            assert stage.ring.state(slots[1]) == SlotState.LEASED
            assert read_failure(stage.ring.header(slots[1])) is None
            stage.drop(slots[1])
            assert same(stage.take(slots[0]), stage.expected(0, 0))
            assert same(stage.take(slots[2]), stage.expected(0, 2))


async def test_processes_that_were_killed_while_idle_are_replaced_at_once(
    poisoned: Stage, collector: SynchronousCollector
) -> None:
    rebuilds, pids = collector.num_rebuilds, worker_pids(collector)
    for pid in pids[:2]:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: collector.num_alive == 1)
    slots = [poisoned.lease(0, index) for index in range(3)]
    with pytest.raises(WorkersDiedError) as error:
        await play(collector, *slots)
    assert (error.value.generation, error.value.casualties) == (rebuilds, set(pids[:2]))
    assert [player(poisoned, slot) for slot in slots] == [0, 0, pids[2]]  # those are not to blame
    assert same(poisoned.take(slots[2]), poisoned.expected(0, 2))
    assert (collector.num_alive, collector.num_rebuilds) == (3, rebuilds + 1)

    await play(collector, *slots[:2])
    for index, slot in enumerate(slots[:2]):
        assert same(poisoned.take(slot), poisoned.expected(0, index))


async def test_a_process_that_is_killed_while_it_starts_is_replaced(poisoned: Stage) -> None:
    collector = SynchronousCollector(poisoned.spec, poisoned.ring, poisoned.board, 2)
    try:
        starting = asyncio.create_task(collector.start())
        await until(lambda: worker_pids(collector))
        pid = worker_pids(collector)[0]
        os.kill(pid, signal.SIGKILL)
        await asyncio.wait_for(starting, TIMEOUT_S)
        slots = poisoned.lease(), poisoned.lease()
        with pytest.raises(WorkersDiedError) as error:
            await play(collector, *slots)
        assert error.value.casualties == {pid}
        poisoned.take(slots[1])
        await play(collector, slots[0])
        assert same(poisoned.take(slots[0]), poisoned.expected())
    finally:
        await close(collector)


async def test_one_that_hangs_is_the_one_that_is_killed(rig: Callable[..., Stage], tmp_path: Path) -> None:
    stage = rig("hang", 1)
    stage = replace(stage, spec=replace(stage.spec, faults_path=str(tmp_path / "faults")))
    async with collecting(stage, 3) as collector:
        pids = worker_pids(collector)
        slots = tuple(stage.lease(0, index) for index in range(3))
        playing = asyncio.create_task(collector.play(slots))
        await until(lambda: "misbehaves" in _text(tmp_path / "log"))
        await until(lambda: [each.is_awaited() for each in collector._environments] == [False, True, False])
        await collector.kill((99,))  # not what is being played
        assert not _text(tmp_path / "faults")
        await collector.kill(slots)
        with pytest.raises(WorkersDiedError) as error:
            await asyncio.wait_for(playing, TIMEOUT_S)
        assert error.value.casualties == {pids[1]}
        assert "rigged_game.py" in _text(tmp_path / "faults")  # where it hung
        stage.drop(slots[1])
        assert same(stage.take(slots[0]), stage.expected(0, 0))
        assert same(stage.take(slots[2]), stage.expected(0, 2))

        await collector.kill(slots)  # it has ended
        assert collector.num_alive == 3


async def test_close_ends_what_is_being_played(rig: Callable[..., Stage], tmp_path: Path) -> None:
    stage = rig("hang", 1)
    async with collecting(stage, 3) as collector:
        slots = tuple(stage.lease(0, index) for index in range(3))
        playing = asyncio.create_task(collector.play(slots))
        await until(lambda: "misbehaves" in _text(tmp_path / "log"))
        playing.cancel()
        await asyncio.wait([playing])
        assert playing.cancelled()
        assert collector.num_alive == 3
        closing = asyncio.create_task(collector.close())
        await close(collector)  # a second time, while the first is at it
        await asyncio.wait_for(closing, TIMEOUT_S)
    assert collector.num_rebuilds == 0
    stage.drop(*slots)


async def test_close_before_and_during_the_start(poisoned: Stage) -> None:
    unused = SynchronousCollector(poisoned.spec, poisoned.ring, poisoned.board, 3)
    assert (unused.num_alive, unused.num_rebuilds) == (0, 0)
    await close(unused)

    for num_started in range(3):
        collector = SynchronousCollector(poisoned.spec, poisoned.ring, poisoned.board, 3)
        starting = asyncio.create_task(collector.start())
        await until(lambda collector=collector, least=num_started: len(worker_pids(collector)) >= least)
        starting.cancel()
        pids = set(worker_pids(collector))
        await close(collector)
        assert not alive(pids)
        await asyncio.wait([starting])
        assert starting.cancelled()


async def test_what_keeps_an_environment_from_starting_is_told(poisoned: Stage) -> None:
    async with collecting(poisoned.playing(red_agent="PinkAgent"), 2) as collector:
        for _ in range(2):
            slots = poisoned.lease(), poisoned.lease()
            await play(collector, *slots)
            for slot in slots:
                assert "unknown Red agent 'PinkAgent'" in (read_failure(poisoned.ring.header(slot)) or "")
            poisoned.drop(*slots)
        assert (collector.num_alive, collector.num_rebuilds) == (2, 0)


async def test_weights_that_are_missing_are_told(poisoned: Stage, collector: SynchronousCollector) -> None:
    slots = poisoned.lease(weight_version=99), poisoned.lease(weight_version=99)
    await play(collector, *slots)
    for slot in slots:
        assert "StaleWeights" in (read_failure(poisoned.ring.header(slot)) or "")
    poisoned.drop(*slots)
    slot = poisoned.lease()
    await play(collector, slot)
    assert same(poisoned.take(slot), poisoned.expected())


async def test_a_forkserver_that_dies_is_told(poisoned: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: BaseProcess) -> None:
        raise EOFError

    collector = SynchronousCollector(poisoned.spec, poisoned.ring, poisoned.board, 2)
    with monkeypatch.context() as patched:
        patched.setattr(BaseProcess, "start", die)
        with pytest.raises(ForkserverDiedError):
            await asyncio.wait_for(collector.start(), TIMEOUT_S)
    await close(collector)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
