from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from native_buffers.slots import SlotState
from pipeline.play.parcel import ParcelPlayer, pack, unpack
from pipeline.play.record import HEADER, UNTOLD, read_failure

if TYPE_CHECKING:
    from conftest import OpenStage, Stage


@pytest.mark.parametrize("engine", ["fast", "cyborg"])
def test_what_comes_back_is_what_would_have_been_played_in_place(stage: Stage, engine: str) -> None:
    player = ParcelPlayer(stage.playing(engine=engine).spec.game)
    for version in (0, 1):
        asked = [(workflow_id, 30 + workflow_id, version, greedy) for workflow_id, greedy in ((5, 0), (119, 1), (5, 1))]
        slots = [stage.lease(*each) for each in asked]
        headers = pack(stage.ring, slots)
        assert headers.shape == (3, HEADER.size_bytes)
        assert [int(stage.ring.header(slot)["worker_pid"]) for slot in slots] == [UNTOLD] * 3

        images = player.play(stage.board.read(version), headers)
        assert images.shape == (3, stage.ring.statistics().slot_bytes)
        unpack(stage.ring, slots, images)
        for slot, each in zip(slots, asked, strict=True):
            assert stage.ring.header(slot)["worker_pid"] > 0
            record, expected = stage.take(slot), stage.expected(*each)
            assert {name: field.tobytes() for name, field in record.items()} == {
                name: field.tobytes() for name, field in expected.items()
            }


def test_images_may_be_read_only(stage: Stage) -> None:
    """As they are where they lie in an object store."""
    slot = stage.lease()
    headers = pack(stage.ring, [slot])
    images = ParcelPlayer(stage.playing(engine="fast").spec.game).play(stage.board.read(0), headers)
    for array in (headers, images):
        array.flags.writeable = False
    unpack(stage.ring, [slot], images)
    assert stage.ring.state(slot) == SlotState.FILLED
    stage.take(slot)


def test_a_failed_episode_comes_back_without_being_filled(stage: Stage) -> None:
    slots = [stage.lease(), stage.lease()]
    stage.ring.header(slots[0])["workflow_id"][...] = 500  # there is no such workflow
    images = ParcelPlayer(stage.playing(engine="fast").spec.game).play(stage.board.read(0), pack(stage.ring, slots))
    unpack(stage.ring, slots, images)
    assert [stage.ring.state(slot) for slot in slots] == [SlotState.LEASED, SlotState.FILLED]
    assert "IndexError" in (read_failure(stage.ring.header(slots[0])) or "")
    assert read_failure(stage.ring.header(slots[1])) is None
    stage.drop(slots[0])
    stage.take(slots[1])


def test_what_was_not_written_is_found(open_stage: OpenStage, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_stage(num_steps=5, debug=True) as stage:
        player = ParcelPlayer(stage.playing(engine="fast").spec.game, debug=True)
        monkeypatch.setattr(player._player, "_play_episode", lambda *_, **__: None)
        slot = stage.lease()
        unpack(stage.ring, [slot], player.play(stage.board.read(0), pack(stage.ring, [slot])))
        assert stage.ring.state(slot) == SlotState.LEASED
        assert "observation" in (read_failure(stage.ring.header(slot)) or "")
        stage.drop(slot)


def test_as_many_come_back_as_went_out(stage: Stage) -> None:
    slot = stage.lease()
    with pytest.raises(ValueError, match="shorter"):
        unpack(stage.ring, [slot], np.zeros((0, 8), np.uint8))
    stage.drop(slot)
