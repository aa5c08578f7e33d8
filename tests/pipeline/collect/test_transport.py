from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from pipeline.collect.executor import ExecutorCollector
from pipeline.collect.transport import Pickled, SharedMemory
from pipeline.play.record import read_failure
from pipeline.workers import pickled
from pipeline.workers import shared as worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def collector(stage: Stage) -> AsyncIterator[ExecutorCollector]:
    collector = ExecutorCollector(Pickled(stage.spec.game, stage.ring, stage.board), 2)
    try:
        await collector.start()
        yield collector
    finally:
        await collector.close()


async def test_shared_memory_sends_indices_alone(stage: Stage) -> None:
    assert SharedMemory(stage.spec, stage.ring).task((3, 4)) == (worker.play, ((3, 4),))


async def test_pickled_episodes_have_the_same_bits(stage: Stage, collector: ExecutorCollector) -> None:
    for version in (0, 1, 0):
        asked = [(workflow_id, 20 + workflow_id, version) for workflow_id in (0, 119, 7)]
        slots = tuple(stage.lease(*each) for each in asked)
        await collector.play(slots)
        for slot, each in zip(slots, asked, strict=True):
            record, expected = stage.take(slot), stage.expected(*each)
            assert {name: field.tobytes() for name, field in record.items()} == {
                name: field.tobytes() for name, field in expected.items()
            }


async def test_a_worker_that_cannot_start_says_why(stage: Stage) -> None:
    game = stage.playing(red_agent="PinkAgent").spec.game
    collector = ExecutorCollector(Pickled(game, stage.ring, stage.board), 1)
    try:
        slots = stage.lease(), stage.lease()
        for _ in range(2):
            await collector.play(slots)
            for slot in slots:
                assert "unknown Red agent 'PinkAgent'" in (read_failure(stage.ring.header(slot)) or "")
        assert collector.num_rebuilds == 0
        stage.drop(*slots)
    finally:
        await collector.close()


async def test_a_process_that_was_not_initialized_says_so(stage: Stage) -> None:
    slot = stage.lease()
    transport = Pickled(stage.spec.game, stage.ring, stage.board)
    call, arguments = transport.task((slot,))
    assert call is pickled.play
    transport.deliver((slot,), call(*arguments))
    assert "was not initialized" in (read_failure(stage.ring.header(slot)) or "")
    stage.drop(slot)
