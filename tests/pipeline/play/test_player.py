from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.play.player import MAX_CACHED_ACTORS, Player, Policies, read_failure, write_failure
from pipeline.play.record import ERROR_TEXT_BYTES

if TYPE_CHECKING:
    import numpy as np
    from conftest import Stage


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
    assert len({id(actor) for actor in actors.values()}) == len(asked)
    for version in asked[-MAX_CACHED_ACTORS:]:
        assert policies.actor(version) is actors[version]
    assert len(read) == len(asked)
    assert policies.actor(asked[0]) is not actors[asked[0]]
    assert policies.verdicts(3) is policies.verdicts(3)


def test_what_is_raised_is_told_by_the_header(stage: Stage) -> None:
    def read_weights(version: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        raise LookupError(f"no version {version}")

    slot = stage.lease(weight_version=99)
    assert not Player(stage.spec.game, read_weights).play(stage.ring.header(slot), stage.ring.record(slot))
    assert "LookupError: no version 99" in (read_failure(stage.ring.header(slot)) or "")
    stage.drop(slot)


@given(text=st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=800))
def test_the_end_of_a_failure_is_kept(stage: Stage, text: str) -> None:
    slot = stage.lease()
    header = stage.ring.header(slot)
    assert read_failure(header) is None
    write_failure(header, text)
    told = read_failure(header)
    stage.drop(slot)

    assert told is not None
    whole = text.encode(errors="replace")
    if len(whole) <= ERROR_TEXT_BYTES:
        assert told == whole.decode()
    else:  # what was cut off may have been half a character
        assert whole.decode().endswith(told.lstrip("\N{REPLACEMENT CHARACTER}"))
        assert len(told.encode()) > ERROR_TEXT_BYTES - 4
