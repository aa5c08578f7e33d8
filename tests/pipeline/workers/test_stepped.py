from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import pytest

from native_buffers.slots import SlotState
from pipeline.play.record import read_failure
from pipeline.workers.stepped import ACTING, GO, SteppedEnvironment

if TYPE_CHECKING:
    from conftest import OpenStage, Stage


def test_an_environment_plays_what_its_slot_asks_for(open_stage: OpenStage) -> None:
    with open_stage(num_steps=3, debug=True) as stage:
        ours, theirs = multiprocessing.Pipe()
        environment = SteppedEnvironment(stage.playing(engine="fast").spec, theirs)
        slot = stage.lease()
        record, actions = stage.ring.record(slot), stage.expected()["action"]
        for _ in actions:  # all answers beforehand: a pipe keeps them
            ours.send_bytes(GO)
        record["action"][:] = actions
        record["log_prob"][:] = 0.0
        environment.play(slot)
        assert [ours.recv_bytes() for _ in actions] == [ACTING] * 3
        assert stage.ring.state(slot) == SlotState.FILLED
        header = stage.ring.header(slot)
        assert 0 < header["busy_s"] <= header["finished_s"] - header["started_s"]
        taken, expected = stage.take(slot), stage.expected()
        for name in ("observation", "action", "reward_tenths", "fix"):
            assert taken[name].tobytes() == expected[name].tobytes()
        theirs.close()
        ours.close()
        environment._ring.close()


def test_an_environment_ends_with_its_parent(stage: Stage) -> None:
    ours, theirs = multiprocessing.Pipe()
    environment = SteppedEnvironment(stage.spec, theirs)
    slot = stage.lease()
    ours.close()
    with pytest.raises(SystemExit):
        environment.play(slot)
    assert read_failure(stage.ring.header(slot)) is None
    stage.drop(slot)
    theirs.close()
    environment._ring.close()
