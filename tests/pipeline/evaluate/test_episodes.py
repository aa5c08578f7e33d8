from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pipeline import seeding
from pipeline.evaluate.episodes import begin_first, played
from pipeline.evaluate.headers import EVALUATION_HEADER
from pipeline.evaluate.task import EpisodeFailedError, Task
from tests.pipeline.evaluate.other_agents import GAME

if TYPE_CHECKING:
    from native_buffers.layout import Array

TASK = Task("sleep", GAME, seed=3, group=7, first=10, num_episodes=3)


@pytest.fixture
def header() -> dict[str, Array]:
    return EVALUATION_HEADER.views(memoryview(bytearray(EVALUATION_HEADER.size_bytes)))


@pytest.mark.parametrize("purpose", [seeding.Purpose.COMPARISON, seeding.Purpose.TRAINING])
def test_episodes_are_played_in_order_by_their_seeds(purpose: seeding.Purpose, header: dict[str, Array]) -> None:
    asked: list[tuple[int, int, int]] = []

    def play(index: int, environment_seed: int, actions_seed: int) -> str:
        asked.append((index, environment_seed, actions_seed))
        assert (header["environment_seed"], header["actions_seed"]) == asked[-1][1:]
        assert header["worker_pid"] == os.getpid()
        assert header["num_played"] == len(asked) - 1
        return f"episode {index}"

    begin_first(TASK, header, purpose)
    first = int(header["environment_seed"])
    outcomes = played(TASK, header, play, purpose)
    assert asked == []
    assert list(outcomes) == ["episode 10", "episode 11", "episode 12"]
    environment, actions = seeding.episode_seeds(3, 7, [10, 11, 12], purpose)
    assert asked == list(zip([10, 11, 12], environment.tolist(), actions.tolist(), strict=True))
    assert first == asked[0][1]
    assert header["num_played"] == 3
    assert header["started_s"] <= header["finished_s"]


def test_one_that_fails_is_named_and_ends_the_task(header: dict[str, Array]) -> None:
    def play(index: int, *_: int) -> None:
        if index == 11:
            raise LookupError("nothing there")

    with pytest.raises(EpisodeFailedError, match=r"(?s)^episode 11 of 100 steps against B_lineAgent .*nothing there"):
        list(played(TASK, header, play))
    assert header["num_played"] == 1


def test_ctrl_c_is_nobodys_failure(header: dict[str, Array]) -> None:
    def play(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(played(TASK, header, play))
