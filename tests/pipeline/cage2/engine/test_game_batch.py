# ruff: noqa: S311 - Python's generator is what the engine's is compared with
from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.game_batch import GameBatch, warm_up
from pipeline.cage2.facts import spec


def test_a_game_is_the_same_in_any_batch() -> None:
    seeds = [0, -7, 2**63, 2**70]
    batch = GameBatch(4, "RedMeanderAgent")
    batch.reset(seeds)
    alone = [FastEnv("RedMeanderAgent") for _ in seeds]
    for env, seed in zip(alone, seeds, strict=True):
        env.reset(seed)
    rng = np.random.default_rng(0)
    for _ in range(100):
        actions = rng.integers(0, spec.NUM_ACTIONS, 4)
        batch.step(actions)
        for index, env in enumerate(alone):
            observation, reward = env.step(int(actions[index]))
            assert np.array_equal(batch.observations[index], observation)
            assert batch.rewards[index] == reward
            assert batch.red_hosts[index] == env.red_hosts()
            assert batch.generator_state(index) == env.batch.generator_state(0)


def test_some_games_can_be_reset_while_others_go_on() -> None:
    batch = GameBatch(3, "B_lineAgent")
    batch.reset([1, 2, 3])
    for _ in range(30):
        batch.step(np.zeros(3, dtype=np.int64))
    before = batch.rewards.copy()
    batch.reset([None, 5], np.array([0, 2]), is_new=True)
    assert batch.games["num_steps"].tolist() == [0, 30, 0]
    assert batch.rewards.tolist() == [0, before[1], 0]
    assert batch.red_hosts[0] == batch.red_hosts[2] == 1 << spec.RED_FOOTHOLD_INDEX


def test_seeds_may_be_an_array() -> None:
    seeds = np.array([0, 5, 2**63, 2**64 - 1], dtype=np.uint64)
    batch = GameBatch(4, "B_lineAgent")
    batch.reset(seeds)
    other = GameBatch(4, "B_lineAgent")
    other.reset([int(seed) for seed in seeds])
    assert all(batch.generator_state(i) == other.generator_state(i) for i in range(4))


def test_memory_grows_with_the_episode() -> None:
    """Every step adds a decoy, over many times the room that there was."""
    small, large = GameBatch(2, "RedMeanderAgent", room=1), GameBatch(2, "RedMeanderAgent", room=500)
    vsftpd = spec.ACTION_NAMES.index("DecoyVsftpd Op_Server0")
    for batch in (small, large):
        batch.reset([3, 4])
    for step in range(300):
        for batch in (small, large):
            batch.step(np.full(2, vsftpd))
        if step == 100:
            small.reset([None], np.array([1]))
            large.reset([None], np.array([1]))
        assert np.array_equal(small.observations, large.observations)
    assert small.games["num_decoys"][0][spec.OP_SERVER_INDEX] == 300
    assert small.lists.shape[3] > 300
    assert small.generator_state(1) == large.generator_state(1)


def test_a_generator_can_be_taken_from_python() -> None:
    rng = random.Random(77)
    batch = GameBatch(1, "B_lineAgent")
    batch.set_generator_state(0, rng.getstate())
    batch.reset([None])
    other = GameBatch(1, "B_lineAgent")
    other.reset([77])
    assert batch.generator_state(0) == other.generator_state(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, "B_lineAgent"), "1 or more"),
        ((1, "BlueAgent"), "choose one of B_lineAgent, RedMeanderAgent, SleepAgent"),
        ((1, "B_lineAgent", "tail"), "unknown profile 'tail'"),
        ((1, "B_lineAgent", "head", "raw"), "unknown observation 'raw'"),
        ((1, "B_lineAgent", "head", "stock", 0), "room"),
    ],
)
def test_what_there_is_not_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GameBatch(*arguments)


def test_without_a_seed_every_game_is_another() -> None:
    batch = GameBatch(2, "B_lineAgent")
    batch.reset([None, None])
    assert batch.generator_state(0) != batch.generator_state(1)


@pytest.mark.parametrize("actions", [[0, 145, 0], [0, 0, -1]])
def test_no_game_is_played_if_an_action_is_wrong(actions: list[int]) -> None:
    batch = GameBatch(3, "B_lineAgent")
    batch.reset([1, 2, 3])
    with pytest.raises(ValueError, match="0 to 144"):
        batch.step(actions)
    assert batch.games["num_steps"].tolist() == [0, 0, 0]


def test_actions_of_any_integer_type_are_taken() -> None:
    batch = GameBatch(2, "B_lineAgent")
    batch.reset([1, 2])
    batch.step(np.array([3, 144], dtype=np.uint8))
    batch.step([3, 144])
    batch.step(7)
    assert batch.games["blue_action"].tolist() == [7, 7]


def test_warming_up_disturbs_nothing() -> None:
    state = random.getstate()
    warm_up()
    assert random.getstate() == state


def test_no_step_before_a_reset() -> None:
    batch = GameBatch(3, "B_lineAgent")
    batch.reset([1], np.array([0]))
    with pytest.raises(RuntimeError, match="game 1 has not been started"):
        batch.step(np.zeros(3, dtype=np.int64))


def test_one_seed_for_each_game() -> None:
    with pytest.raises(ValueError, match="2 seeds for 3 games"):
        GameBatch(3, "B_lineAgent").reset([1, 2])


@pytest.mark.parametrize(
    "indices", [[5], [2], [-1], [0.0], [[0]], 0, [True], np.array([True, False]), np.array([2**63], np.uint64), ["0"]]
)
def test_a_game_that_there_is_not_is_refused_before_any_is_started(indices: Any) -> None:
    batch = GameBatch(2, "B_lineAgent")
    before = batch.games.tobytes()
    with pytest.raises(ValueError, match="integers from 0 to 1, not"):
        batch.reset([1] * np.size(indices), indices)
    assert batch.games.tobytes() == before


def test_no_games_are_reset_if_none_are_named() -> None:
    batch = GameBatch(2, "B_lineAgent")
    batch.reset([], [])
    assert batch.games["num_steps"].tolist() == [-1, -1]
