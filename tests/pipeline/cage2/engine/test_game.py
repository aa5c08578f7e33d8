from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cage2.engine.agents import agent
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.state import ATTRIBUTE, SESSIONS
from pipeline.cage2.engine.tables import BASE_PORTS, DECOY_PORT
from pipeline.cage2.facts import spec
from pipeline.numerics.compiled import kernel


@settings(max_examples=25)
@given(
    red_agent=st.sampled_from(spec.RED_AGENTS),
    profile=st.sampled_from(["head", "leaderboard"]),
    seed=st.integers(),
    actions=st.lists(st.integers(0, spec.NUM_ACTIONS - 1), min_size=1, max_size=120),
)
def test_what_holds_in_every_game(red_agent: str, profile: str, seed: int, actions: list[int]) -> None:
    env = FastEnv(red_agent, profile)  # type: ignore[arg-type]
    env.reset(seed)
    game, hosts = env.batch.games[0], range(spec.NUM_HOSTS)
    for num_steps, action in enumerate(actions, 1):
        observation, reward = env.step(action)
        lists = env.batch.lists[0]
        sessions = [lists[SESSIONS, host, : game["num_sessions"][host]] for host in hosts]
        assert game["num_steps"] == num_steps
        assert env.red_hosts() == sum(1 << host for host in hosts if len(sessions[host]))
        assert game["privileged_hosts"] == sum(1 << host for host in hosts if (sessions[host] >= ATTRIBUTE).any())
        assert not env.red_hosts() & 1, "Defender never has a Red session"
        assert env.red_hosts() & 1 << spec.RED_FOOTHOLD_INDEX, "User0 always has one"
        for host in hosts:
            kinds = [kind for kind in range(8) if game["decoy_kinds"][host] >> kind & 1]
            assert game["listening"][host] == BASE_PORTS[host] | np.bitwise_or.reduce(DECOY_PORT[kinds], initial=0)
        assert set(observation.tolist()) <= {0, 1}
        assert np.count_nonzero(observation.reshape(13, 4)[:, :2].any(axis=1)) <= 1, "one host shows activity"
        assert -177 <= reward <= 0


@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_nothing_is_carried_into_the_next_episode(red_agent: str) -> None:
    """After any life, `reset(seed)` makes the same game as in a new one."""
    used, new = FastEnv(red_agent), FastEnv(red_agent)
    rng = np.random.default_rng(2)
    used.reset(9)
    for action in rng.integers(0, spec.NUM_ACTIONS, 130):
        used.step(int(action))
    used.reset(31)
    new.reset(31)
    for action in rng.integers(0, spec.NUM_ACTIONS, 100):
        seen, expected = used.step(int(action)), new.step(int(action))
        assert seen[1] == expected[1]
        assert np.array_equal(seen[0], expected[0])
        assert used.batch.generator_state(0) == new.batch.generator_state(0)


@kernel
def choose(games: Any) -> tuple[int, int]:
    return agent.choose(games[0])


def assert_same(one: FastEnv, other: FastEnv) -> None:
    for name in one.batch.games.dtype.names:
        assert np.array_equal(one.batch.games[name], other.batch.games[name]), name
    assert np.array_equal(one.batch.lists, other.batch.lists)


@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_red_may_choose_outside_the_step(red_agent: str) -> None:
    """While Blue draws nothing, it is the same whether Red's choice is drawn before or after Blue's action."""
    inside, outside = FastEnv(red_agent), FastEnv(red_agent)
    for seed in range(5):
        inside.reset(seed)
        outside.reset(seed)
        for step in range(100):
            inside.batch.step(step % 2)  # Sleep, Monitor
            outside.batch.step(step % 2, [choose(outside.batch.games)])
            assert_same(inside, outside)


def test_an_attacker_from_outside_can_replay_the_games_own() -> None:
    """Whatever Blue does: B_line draws nothing any more once it has its User host."""
    own, replayed = FastEnv("B_lineAgent"), FastEnv("B_lineAgent")
    rng = np.random.default_rng(4)
    memory = ["script_index", "script_seen", "script_user"]
    for seed in range(20):
        own.reset(seed)
        replayed.reset(seed)
        for step in range(100):
            action = int(rng.integers(0, spec.NUM_ACTIONS))
            own.batch.step(action)
            game = own.batch.games
            replayed.batch.step(action, None if step < 2 else [(game["red_action"][0], game["red_target"][0])])
            replayed.batch.games[memory] = game[memory]  # of an agent that isn't asked any more
            assert_same(own, replayed)


def test_a_new_environment_draws_three_networks() -> None:
    new, used = FastEnv("B_lineAgent"), FastEnv("B_lineAgent")
    new.reset(8, is_new=True)
    used.reset(8)
    used.reset(None)
    used.reset(None)
    assert new.batch.generator_state(0) == used.batch.generator_state(0)
