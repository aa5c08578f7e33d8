from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.game_state import StateError
from pipeline.cage2.facts.names import UnknownNameError
from pipeline.cage2.gym.env import Cage2GymEnv
from pipeline.play.baselines import BASELINES
from pipeline.play.play_out import AT_A_TIME, Policy, must_compile, play_out
from pipeline.policy.forward import Actor
from pipeline.policy.params import PolicyShape

INTERFACES = (Interface(), Interface(True), Interface(False, "merged"), Interface(True, "merged"))
RED_AGENTS = ("B_lineAgent", "RedMeanderAgent")


def policy(interface: Interface = INTERFACES[0], **options: Any) -> Policy:
    shape = PolicyShape.of(interface)
    weights = np.random.default_rng(5).normal(0, 0.2, shape.actor.num_values).astype(np.float32)
    return Policy(Actor(weights, shape), interface, **({"workflow_id": 29} | options))


def batch(num_games: int, red_agent: str = "RedMeanderAgent", profile: Any = "head", steps: int = 20) -> GameBatch:
    games = GameBatch(num_games, red_agent, profile)
    games.reset(range(num_games))
    rng = np.random.default_rng(0)
    for _ in range(steps):
        games.step(rng.integers(0, 145, num_games))
    return games


@given(
    st.sampled_from(RED_AGENTS),
    st.sampled_from(["head", "leaderboard"]),
    st.sampled_from(sorted(BASELINES)),
    st.integers(0, 30),
    st.integers(1, 60),
    st.integers(0, 2**64 - 1),
)
@settings(deadline=None, max_examples=30)
def test_a_baseline_plays_on_as_it_does_by_hand(
    red_agent: str, profile: Any, name: str, before: int, num_steps: int, seed: int
) -> None:
    games = batch(3, red_agent, profile, before)
    states = games.states()
    sums = play_out(states, name, num_steps, [seed] * 3)
    by_hand = np.zeros(3, dtype=np.int64)
    for uniform in seeding.uniforms(seed, num_steps).tolist():
        games.step([BASELINES[name](row, uniform) for row in games.observations])
        by_hand += games.rewards
    assert sums.tolist() == (by_hand / 10).tolist()


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("greedy", [False, True])
@pytest.mark.parametrize("red_agent", RED_AGENTS)
def test_a_policy_plays_on_as_it_does_by_hand(interface: Interface, greedy: bool, red_agent: str) -> None:
    agent = policy(interface, greedy=greedy)
    env = Cage2GymEnv(red_agent, observation_memory=interface.observation_memory, actions=interface.actions)
    observation, _ = env.reset(seed=3)
    for choice in range(0, 31, 2):
        observation, *_ = env.step(choice)
    state = env.state()
    total = 0
    for uniform in seeding.uniforms(9, 50).tolist():
        choice, _ = agent.actor.sample(observation.astype(np.int8), agent.workflow_id, uniform, greedy=greedy)
        observation, reward, *_ = env.step(choice)
        total += round(10 * reward)
    assert play_out([state] * 2, agent, 50, [9, 10])[0] == total / 10
    assert play_out([state], agent, 50, [9]) == total / 10


def test_every_game_is_played_by_itself() -> None:
    num = 2 * AT_A_TIME + 3
    states = [*batch(num).states(), *batch(num, "B_lineAgent", "leaderboard", 150).states()]
    for agent in ("random", "restore", policy()):
        together = play_out(states, agent, 40)
        assert len(set(together.tolist())) > 20
        for index in (0, 1, AT_A_TIME, num - 1, num, 2 * num - 1):
            assert play_out([states[index]], agent, 40, [index]) == together[index]
        assert play_out(states[::-1], agent, 40, range(2 * num)[::-1]).tolist() == together[::-1].tolist()


def test_there_is_room_for_as_many_steps_as_are_asked_for() -> None:
    (state,) = batch(1, "B_lineAgent", steps=0).states()
    assert play_out([state], "sleep", 3000) < play_out([state], "sleep", 2999) - 10


def test_no_states_are_no_sums() -> None:
    assert play_out([], "sleep", 5).tolist() == []


def test_any_agent_without_a_memory_plays_on_in_any_environment() -> None:
    env = Cage2GymEnv(observation_memory=True, actions="merged")
    env.reset(seed=1)
    env.step(3)
    state = env.state()
    for agent in ("restore", policy()):
        assert play_out([state], agent, 30) == play_out([state.game], agent, 30)


def test_what_can_t_be_played_is_refused() -> None:
    states = batch(2).states()
    for arguments, message in (
        ((states, "sleep", 0), "1 or more"),
        ((states, "sleep", 5, [1]), "1 seeds for 2 states"),
        ((states, policy(workflow_id=120), 5), "not made for one another"),
        ((states, Policy(policy(INTERFACES[1]).actor, INTERFACES[0], 3), 5), "not made for one another"),
        ((states, Policy(policy(INTERFACES[2]).actor, INTERFACES[0], 3), 5), "not made for one another"),
    ):
        with pytest.raises(ValueError, match=message):
            play_out(*arguments)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="choose one of random, sleep, restore"):
        play_out(states, "monitor", 5)
    with pytest.raises(StateError, match="another memory"):
        play_out(states, policy(INTERFACES[1]), 5)
    with pytest.raises(StateError, match="NoneType"):
        play_out([*states, None], "sleep", 5)  # type: ignore[list-item]
    env = Cage2GymEnv(observation_memory=True)
    env.reset(seed=1)
    with pytest.raises(StateError, match="num_steps 100, here it is 30"):
        play_out([env.state()], policy(INTERFACES[1], episode_steps=30), 5)


def test_it_is_compiled_once_it_has_been_played() -> None:
    batch = GameBatch(1, "B_lineAgent")
    batch.reset([1])
    play_out(batch.states(), "sleep", 1)
    assert not must_compile()
