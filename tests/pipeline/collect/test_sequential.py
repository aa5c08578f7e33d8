from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from native_buffers.slots import SlotState
from pipeline.collect.sequential import SequentialCollector
from pipeline.play.record import read_failure

if TYPE_CHECKING:
    from conftest import Stage


@pytest.mark.parametrize("engine", ["fast", "cyborg"])
async def test_plays_here_with_the_same_bits(stage: Stage, engine: str) -> None:
    collector = SequentialCollector(stage.playing(engine=engine).spec.game, stage.ring, stage.board)
    assert collector.num_alive == 0
    await collector.start()
    assert (collector.num_alive, collector.max_tasks, collector.num_rebuilds) == (1, 1, 0)
    asked = [(0, 3, 0), (119, 4, 1), (119, 4, 1, 1)]
    slots = tuple(stage.lease(*each) for each in asked)
    await collector.play(slots)
    for slot, each in zip(slots, asked, strict=True):
        assert stage.ring.header(slot)["worker_pid"] == os.getpid()
        record, expected = stage.take(slot), stage.expected(*each)
        assert {name: field.tobytes() for name, field in record.items()} == {
            name: field.tobytes() for name, field in expected.items()
        }
    await collector.close()
    await collector.close()
    assert collector.num_alive == 0


async def test_plays_on_the_loop_and_lets_others_in_between(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    collector = SequentialCollector(stage.playing(engine="fast").spec.game, stage.ring, stage.board)
    await collector.start()
    assert collector._player is not None
    threads, seen = [], []
    halves = [sys.float_info.min / 2]  # of the smallest normal number: 0 while subnormal ones are flushed
    play_slot = collector._player.play_slot

    def noting(ring: Any, slot: int) -> None:
        threads.append(threading.current_thread())
        halves.append(sys.float_info.min / 2)
        play_slot(ring, slot)

    async def watch() -> None:
        while len(threads) < 3:
            seen.append(len(threads))
            assert sys.float_info.min / 2 == halves[0]
            await asyncio.sleep(0)

    monkeypatch.setattr(collector._player, "play_slot", noting)
    slots = stage.lease(), stage.lease(), stage.lease()
    await asyncio.gather(collector.play(slots), watch())
    assert set(threads) == {threading.current_thread()}
    assert seen == [1, 2]
    assert halves[0] > 0
    assert halves[1:] == [0, 0, 0]
    assert sys.float_info.min / 2 == halves[0]
    for slot in slots:
        stage.take(slot)


async def test_a_failed_episode_does_not_end_the_others(stage: Stage) -> None:
    collector = SequentialCollector(stage.playing(engine="fast").spec.game, stage.ring, stage.board)
    await collector.start()
    slots = stage.lease(weight_version=99), stage.lease()
    await collector.play(slots)
    assert [stage.ring.state(slot) for slot in slots] == [SlotState.LEASED, SlotState.FILLED]
    assert "StaleWeights" in (read_failure(stage.ring.header(slots[0])) or "")
    stage.drop(slots[0])
    stage.take(slots[1])
