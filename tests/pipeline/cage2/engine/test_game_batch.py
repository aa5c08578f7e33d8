# ruff: noqa: S311 - Python's generator is what the engine's is compared with
from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from pipeline.cage2.engine import red
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.game_batch import GameBatch, warm_up
from pipeline.cage2.engine.game_state import StateError
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


@pytest.mark.parametrize(
    "red_action", [(6, 0), (-1, -1), (red.SCAN, 13), (red.SWEEP, 3), (red.IMPACT, 6), (red.SLEEP, 0)]
)
def test_no_game_is_played_if_an_attackers_action_is_wrong(red_action: tuple[int, int]) -> None:
    batch = GameBatch(2, "B_lineAgent")
    batch.reset([1, 2])
    with pytest.raises(ValueError, match=f"action {red_action[0]} on {red_action[1]} is not one of Red's"):
        batch.step([0, 0], [(red.SCAN, 9), red_action])
    assert batch.games["num_steps"].tolist() == [0, 0]


def test_an_attacker_acts_in_all_games_or_in_each_for_itself() -> None:
    batch = GameBatch(2, "B_lineAgent")
    batch.reset([1, 2])
    batch.step(0, (red.SCAN, 9))
    assert batch.games["red_target"].tolist() == [9, 9]
    batch.step(0, np.array([(red.SWEEP, 2), (red.SLEEP, red.NO_TARGET)]))
    assert batch.games["red_action"].tolist() == [red.SWEEP, red.SLEEP]
    batch.step(0)
    assert batch.games["red_action"].tolist() == [red.SCAN, red.SWEEP]  # the game's own, by how those ended


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


def test_a_branch_is_as_many_games_as_one_likes_from_one_state() -> None:
    batch = GameBatch(3, "RedMeanderAgent", "leaderboard", "corrected")
    batch.reset([1, 2, 3])
    rng = np.random.default_rng(0)
    for _ in range(30):
        batch.step(rng.integers(0, spec.NUM_ACTIONS, 3))
    before = batch.states()
    branch = batch.branch(5, index=1)
    assert branch.states() == [before[1]] * 5
    for shown in ("observations", "rewards", "red_hosts"):
        assert (getattr(branch, shown) == getattr(batch, shown)[1]).all()
    for _ in range(200):  # its lists grow by themselves
        branch.step(3)
    assert batch.states() == before
    assert len(set(branch.states())) == 1
    batch.set_state(before[1], 2)
    for _ in range(200):
        batch.step(3)
    assert branch.state() == batch.state(1) == batch.state(2)


def test_a_branch_that_is_reseeded_keeps_what_has_come_to_be_and_draws_anew() -> None:
    batch = GameBatch(1, "RedMeanderAgent")
    batch.reset([1])
    for _ in range(20):
        batch.step(0)
    seeds = [5, 2**70, 5, None, -6]
    branch = batch.branch(len(seeds), seeds)
    assert branch.generator_state(3) == batch.generator_state(0)
    for index in (0, 1, 2, 4):
        assert branch.generator_state(index) == random.Random(seeds[index]).getstate()
        branch.set_generator_state(index, batch.generator_state(0))
    assert branch.states() == batch.states() * 5
    branch.reseed(seeds)
    for _ in range(30):
        branch.step(0)
    states = branch.states()
    assert states[0] == states[2]
    assert len(set(states)) == 4
    again = batch.branch(1, np.array([5], dtype=np.uint64))
    for _ in range(30):
        again.step(0)
        batch.step(0)
    assert again.state() == states[0]
    assert batch.state() == states[3]


def test_some_games_are_reseeded_while_others_are_not() -> None:
    batch = GameBatch(3, "B_lineAgent")
    batch.reset([1, 2, 3])
    before = batch.states()
    batch.reseed([7], [1])
    assert [batch.states()[index] == before[index] for index in range(3)] == [True, False, True]
    assert batch.generator_state(1) == random.Random(7).getstate()


def test_only_what_is_there_can_be_saved_and_set() -> None:
    batch = GameBatch(2, "B_lineAgent")
    batch.reset([1], [0])
    state = batch.state()
    for act in (batch.states, lambda: batch.state(1), lambda: batch.branch(2, index=1)):
        with pytest.raises(RuntimeError, match="game 1 has not been started"):
            act()
    for act in (lambda: batch.state(2), lambda: batch.set_state(state, -1), lambda: batch.branch(2, index=2)):
        with pytest.raises(ValueError, match="integers from 0 to 1, not"):
            act()
    with pytest.raises(ValueError, match="1 states for 2 games"):
        batch.set_states([state])
    with pytest.raises(ValueError, match="3 seeds for 2 games"):
        batch.branch(2, [1, 2, 3])
    with pytest.raises(ValueError, match="1 or more"):
        batch.branch(0)
    assert batch.states([]) == []
    batch.set_states([], [])
    assert batch.games["num_steps"].tolist() == [0, -1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("B_lineAgent", "leaderboard"), "profile leaderboard; here it is head"),
        (("B_lineAgent", "head", "corrected"), "observation corrected; here it is stock"),
    ],
)
def test_a_state_of_another_game_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    other = GameBatch(1, *arguments)
    other.reset([1])
    batch = GameBatch(1, "B_lineAgent")
    with pytest.raises(StateError, match=message):
        batch.set_state(other.state())


def test_a_state_brings_its_red_agent_along_where_that_may_come() -> None:
    other, batch = GameBatch(1, "RedMeanderAgent"), GameBatch(2, "B_lineAgent")
    other.reset([1])
    with pytest.raises(StateError, match="Red agent RedMeanderAgent; here it is B_lineAgent or SleepAgent"):
        batch.set_states(other.states(), [1], ["SleepAgent", "B_lineAgent"])
    batch.set_state(other.state(), 1)
    assert batch.red_agents(np.array([0, 1])) == ["B_lineAgent", "RedMeanderAgent"]
