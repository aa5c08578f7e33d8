from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from native_buffers.slots import SlotState
from pipeline.play.player import MAX_CACHED_ACTORS, Player, Policies
from pipeline.play.record import read_failure

if TYPE_CHECKING:
    import numpy as np
    from conftest import OpenStage, Stage


@pytest.mark.parametrize("engine", ["fast", "cyborg"])
def test_an_episode_is_what_its_header_asks_for(stage: Stage, engine: str) -> None:
    player = Player(stage.playing(engine=engine).spec.game, stage.board.read)
    for asked in ((0, 0, 0), (119, 12_345, 1), (60, 12_345, 1, 1)):
        slot = stage.lease(*asked)
        header = stage.ring.header(slot)
        assert player.play(header, stage.ring.record(slot))
        stage.ring.fill(slot)
        assert header["worker_pid"] == os.getpid()
        assert 0 < header["started_s"] < header["finished_s"]
        assert header["busy_s"] == header["finished_s"] - header["started_s"]
        record, expected = stage.take(slot), stage.expected(*asked)
        assert {name: field.tobytes() for name, field in record.items()} == {
            name: field.tobytes() for name, field in expected.items()
        }


def test_few_policies_are_kept_and_each_is_read_once(stage: Stage) -> None:
    read: list[int] = []

    def read_weights(version: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        read.append(version)
        return stage.board.read(version % 2)

    policies = Policies(stage.spec.game, read_weights)
    asked = range(MAX_CACHED_ACTORS + 2)
    actors = {version: policies.actor(version) for version in asked}
    assert read == list(asked)
    assert len({id(actor) for actor in actors.values()}) == MAX_CACHED_ACTORS
    assert actors[asked[-1]] is actors[asked[1]], "whose memory serves again"
    for version in asked[-MAX_CACHED_ACTORS:]:
        assert policies.actor(version) is actors[version]
    assert len(read) == len(asked)
    policies.actor(asked[0])
    assert read[-1] == asked[0]
    assert policies.verdicts(3) is policies.verdicts(3)


def test_what_is_raised_is_told_by_the_header(stage: Stage) -> None:
    def read_weights(version: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        raise LookupError(f"no version {version}")

    slot = stage.lease(weight_version=99)
    assert not Player(stage.spec.game, read_weights).play(stage.ring.header(slot), stage.ring.record(slot))
    assert "LookupError: no version 99" in (read_failure(stage.ring.header(slot)) or "")
    stage.drop(slot)


def test_a_slot_is_filled_only_if_all_was_written(open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_stage(num_steps=3, debug=True) as stage:
        player = Player(stage.spec.game, stage.board.read)
        slots = [stage.lease(), stage.lease(), stage.lease(weight_version=99)]
        player.play_slot(stage.ring, slots[0])
        player.play_slot(stage.ring, slots[2])
        monkeypatch.setattr(player, "_play_episode", lambda *_, **__: None)
        player.play_slot(stage.ring, slots[1])
        assert [stage.ring.state(slot) for slot in slots] == [SlotState.FILLED, SlotState.LEASED, SlotState.LEASED]
        told = [read_failure(stage.ring.header(slot)) for slot in slots]
        assert told[0] is None
        assert "UnwrittenFields" in (told[1] or "")
        assert "StaleWeights" in (told[2] or "")
        stage.take(slots[0])
        stage.drop(*slots[1:])


def test_an_episode_that_exits_takes_nobody_along(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    player = Player(stage.playing(engine="fast").spec.game, stage.board.read)
    monkeypatch.setattr(player, "_play_episode", lambda *_, **__: sys.exit("no more"))
    slot = stage.lease()
    assert not player.play(stage.ring.header(slot), stage.ring.record(slot))
    assert "SystemExit: no more" in (read_failure(stage.ring.header(slot)) or "")
    stage.drop(slot)
