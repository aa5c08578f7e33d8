from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pipeline
from native_buffers.segment import PREFIX, Owner, _start_ticks
from native_buffers.slots import SlotState
from pipeline.play.record import read_failure
from pipeline.workers import birth
from pipeline.workers import shared as worker
from pipeline.workers.forkserver import WorkerContext
from pipeline.workers.shared import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from conftest import OpenStage, Stage

TIMEOUT_S = 30
SHM = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory
HEAVY = {
    "torch",
    "gpytorch",
    "pydantic",
    "rich",
    "structlog",
    "stable_baselines3",
    "pipeline.command.cli",
    "pipeline.run.pipeline",
}


def same(record: dict[str, np.ndarray[Any, Any]], expected: dict[str, np.ndarray[Any, Any]]) -> bool:
    return record.keys() == expected.keys() and all(
        record[name].tobytes() == expected[name].tobytes() for name in record
    )


@pytest.fixture(scope="module", params=["fast", "cyborg"])
def here(request: pytest.FixtureRequest, stage: Stage) -> Worker:
    """A worker in this process."""
    return Worker(stage.playing(engine=request.param).spec)


@pytest.fixture
def start() -> Iterator[Any]:
    """Return what starts a worker process; it is ended after the test."""
    pools: list[ProcessPoolExecutor] = []

    def start_one(spec: worker.WorkerSpec) -> ProcessPoolExecutor:
        pools.append(
            ProcessPoolExecutor(1, mp_context=WorkerContext(), initializer=worker.initialize, initargs=(spec,))
        )
        return pools[-1]

    yield start_one
    for pool in pools:
        pool.shutdown(wait=True, cancel_futures=True)


def test_an_episode_is_what_its_header_asks_for(stage: Stage, here: Worker) -> None:
    for asked in ((0, 0, 0), (119, 12_345, 1), (119, 12_345, 0, 1), (60, 12_345, 1)):
        slot = stage.lease(*asked)
        here.play(slot)
        header = stage.ring.header(slot)
        assert header["worker_pid"] == os.getpid()
        assert 0 < header["started_s"] < header["finished_s"]
        assert same(stage.take(slot), stage.expected(*asked))


def test_what_is_raised_is_told_by_the_slot(stage: Stage, here: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_worker", here)
    slots = stage.lease(), stage.lease(weight_version=99), stage.lease(episode_index=1)
    worker.play(slots)

    assert [stage.ring.state(slot) for slot in slots] == [SlotState.FILLED, SlotState.LEASED, SlotState.FILLED]
    assert [read_failure(stage.ring.header(slot)) is None for slot in slots] == [True, False, True]
    told = read_failure(stage.ring.header(slots[1]))
    assert told is not None
    assert re.search(r"StaleWeights: .*99", told)
    assert "weights.py" in told  # where it was raised
    assert same(stage.take(slots[0]), stage.expected())
    assert same(stage.take(slots[2]), stage.expected(episode_index=1))
    stage.drop(slots[1])


def test_an_episode_that_is_not_written_whole_does_not_fill_a_slot(
    open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_stage(num_steps=3, debug=True) as stage:
        here = Worker(stage.spec)
        slots = stage.lease(), stage.lease()
        here.play(slots[0])
        assert same(stage.take(slots[0]), stage.expected())
        monkeypatch.setattr(here._player, "_play_episode", lambda *_, **__: None)
        here.play(slots[1])
        assert stage.ring.state(slots[1]) == SlotState.LEASED
        assert "reward_tenths" in (read_failure(stage.ring.header(slots[1])) or "")
        stage.drop(slots[1])


def test_a_spec_is_small(stage: Stage) -> None:
    assert len(pickle.dumps(stage.spec)) < 500


@pytest.mark.parametrize("engine", ["fast", "cyborg"])
def test_a_worker_process_is_light_and_plays_the_same_bits(stage: Stage, start: Any, engine: str) -> None:
    pool = start(stage.playing(engine=engine).spec)
    slots = stage.lease(3, 1, 1), stage.lease(3, 2, 1)
    pool.submit(worker.play, slots).result(TIMEOUT_S)
    assert {int(stage.ring.header(slot)["worker_pid"]) for slot in slots} == {
        pool.submit(birth.ready).result(TIMEOUT_S)
    }
    assert same(stage.take(slots[0]), stage.expected(3, 1, 1))
    assert same(stage.take(slots[1]), stage.expected(3, 2, 1))

    # after it has played, so that nothing is imported late
    modules = set(pool.submit(eval, "list(__import__('sys').modules)").result(TIMEOUT_S))
    assert {"numpy", "csle_cyborg.main", "pipeline.workers.shared"} <= modules
    assert HEAVY.isdisjoint(modules)
    libraries = pool.submit(eval, "__import__('threadpoolctl').threadpool_info()").result(TIMEOUT_S)
    assert libraries
    assert {library["num_threads"] for library in libraries} == {1}


def test_ctrl_c_is_for_the_parent_to_decide(stage: Stage, start: Any) -> None:
    pool = start(stage.spec)
    pid = pool.submit(birth.ready).result(TIMEOUT_S)
    assert pool.submit(eval, "__import__('signal').getsignal(2)").result(TIMEOUT_S) == signal.SIG_IGN
    os.kill(pid, signal.SIGINT)
    slot = stage.lease()
    pool.submit(worker.play, (slot,)).result(TIMEOUT_S)

    assert stage.ring.header(slot)["worker_pid"] == pid
    assert same(stage.take(slot), stage.expected())


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"red_agent": "PinkAgent"}, "UnknownRedAgentError: unknown Red agent 'PinkAgent'"),
        ({"red_agent": "PinkAgent", "engine": "fast"}, "UnknownRedAgentError: unknown Red agent 'PinkAgent'"),
        ({"cyborg": "upstream"}, "NotInstalledError: --cyborg upstream needs CybORG"),
    ],
)
def test_a_worker_that_cannot_start_says_why(stage: Stage, start: Any, wrong: dict[str, Any], reason: str) -> None:
    pool = start(stage.playing(**wrong).spec)
    slots = stage.lease(), stage.lease()
    for _ in range(2):
        pool.submit(worker.play, slots).result(TIMEOUT_S)
        for slot in slots:
            told = read_failure(stage.ring.header(slot))
            assert told is not None
            assert reason in told
            assert stage.ring.state(slot) == SlotState.LEASED
    stage.drop(*slots)


def test_a_worker_without_weights_says_so(stage: Stage, start: Any) -> None:
    pool = start(replace(stage.spec, board_name="c2p-0-0-weights-00000000"))
    slot = stage.lease()
    pool.submit(worker.play, (slot,)).result(TIMEOUT_S)
    assert "SegmentMissing" in (read_failure(stage.ring.header(slot)) or "")
    stage.drop(slot)


def test_without_a_ring_there_is_no_slot_to_tell_it(stage: Stage, start: Any) -> None:
    pool = start(replace(stage.spec, ring_name="c2p-0-0-ring-00000000"))
    with pytest.raises(Exception, match="c2p-0-0-ring-00000000"):
        pool.submit(worker.play, (0,)).result(TIMEOUT_S)


def test_a_process_that_was_not_initialized_is_no_worker() -> None:
    with pytest.raises(RuntimeError, match="was not initialized"):
        worker.play((0,))


ABANDONED = """
import asyncio, json, os
import numpy as np
from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.blue.interface import Interface
from pipeline.collect.executor import ExecutorCollector
from pipeline.play.game import GameSpec
from pipeline.play.record import HEADER
from pipeline.collect.transport import SharedMemory
from pipeline.workers.forkserver import WorkerContext
from pipeline.workers.shared import WorkerSpec

NUM_STEPS = 100_000

async def main():
    game = GameSpec("B_lineAgent", "cyborg", "head", "csle", Compromised.FIXABLE, NUM_STEPS, Interface())
    num_weights = game.shape.actor.num_values
    with EpisodeRing.create(HEADER, game.record, 2) as ring, WeightBoard.create(num_weights, 1) as board:
        board.publish(np.zeros(num_weights, np.float32))
        collector = ExecutorCollector(SharedMemory(WorkerSpec(game, ring.name, board.name, 2, 1, False), ring), 2)
        await collector.start()
        playing = [asyncio.create_task(collector.play((ring.lease(),))) for _ in range(2)]
        while not all(ring.header(slot)["worker_pid"] for slot in range(2)):
            await asyncio.sleep(0.001)
        print(json.dumps([int(ring.header(slot)["worker_pid"]) for slot in range(2)]), flush=True)
        await asyncio.Event().wait()

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.timeout(60)
def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "abandoned.py"
    script.write_text(ABANDONED)
    environment = os.environ | {"PYTHONPATH": str(Path(pipeline.__file__).parents[1])}
    with subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [Owner(pid, _start_ticks(pid) or 0) for pid in json.loads(parent.stdout.readline())]
        assert len(set(workers)) == 2
        assert all(each.is_alive() for each in workers)
        parent.kill()
        try:
            # workers, forkserver and resource tracker hold the pipe's other end: it closes with the last of them
            parent.communicate(timeout=TIMEOUT_S)
        finally:
            left = [each.pid for each in workers if each.is_alive()]
            for pid in left:
                os.kill(pid, signal.SIGKILL)
    assert left == []
    assert list(SHM.glob(f"{PREFIX}-{parent.pid}-*")) == []
