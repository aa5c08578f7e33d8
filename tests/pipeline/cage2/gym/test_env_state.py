"""Games of environments that are saved, set back and branched, single and together."""

from __future__ import annotations

import dataclasses
import pickle
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium import error
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cage2.blue.memory import MEMORY
from pipeline.cage2.engine.game_state import StateError
from pipeline.cage2.gym.env import Cage2GymEnv
from pipeline.cage2.gym.games import OptionError, UnsavedGameError
from pipeline.cage2.gym.vector import Cage2VectorEnv

if TYPE_CHECKING:
    from pipeline.cage2.gym.env_state import EnvState

OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"red_agent": "RedMeanderAgent", "profile": "leaderboard", "observation": "corrected"},
    {"red_agent": "RedMeanderAgent", "observation_memory": True, "episode_steps": 30},
    {"red_agent": "Mixed", "observation_memory": True, "actions": "merged"},
    {"red_agent": "Mixed", "actions": "merged", "profile": "leaderboard"},
)
CHOICES = st.lists(st.integers(0, 27), max_size=40)


def same(ours: Any, theirs: Any) -> bool:
    return bool(data_equivalence(ours, theirs, exact=True))


def play(env: Cage2GymEnv, choices: list[int]) -> list[Any]:
    return [env.step(choice) for choice in choices]


@given(st.sampled_from(OPTIONS), st.integers(0, 2**70) | st.none(), CHOICES, CHOICES)
@settings(deadline=None, max_examples=40)
def test_an_environment_that_is_set_back_goes_on_in_the_same_way(
    options: dict[str, Any], seed: int | None, before: list[int], after: list[int]
) -> None:
    env, other = Cage2GymEnv(**options), Cage2GymEnv(**options)
    shown = env.reset(seed=seed)
    for choice in before:
        observation, _, _, _, info = env.step(choice)
        shown = observation, info
    state, view = env.state(), env.view()
    steps = play(env, after)
    end, last_view, following = env.state(), env.view(), [env.reset() for _ in range(2)]
    games = Cage2VectorEnv(3, **options, max_episode_steps=-1)
    games.reset(seed=1)
    games.set_states([state], [1])
    for again in (env, other):
        assert same(again.set_state(pickle.loads(pickle.dumps(state))), shown)  # noqa: S301 - our own
        assert again.state() == state
        assert again.view() == view
        assert same(play(again, after), steps)
        assert again.state() == end
        assert again.view() == last_view
        assert same([again.reset() for _ in range(2)], following)
    for choice, (observation, reward, _, _, info) in zip(after, steps, strict=True):
        observations, rewards, _, _, infos = games.step([0, choice, 0])
        assert same(observations[1], observation)
        assert rewards[1] == reward
        assert same({name: infos[name][1] for name in info}, info)
    assert games.states([1]) == [end]
    assert games.view(1) == last_view


@pytest.mark.parametrize("options", OPTIONS)
def test_a_branch_goes_on_from_where_the_game_stands(options: dict[str, Any]) -> None:
    env = Cage2GymEnv(**options)
    env.reset(seed=2)
    play(env, list(range(20)))
    state = env.state()
    branch, reseeded = env.branch(3), env.branch(4, [7, 8, 7, None])
    assert branch.states() == [state] * 3
    assert reseeded.view(1) == env.view()
    after = list(range(27))
    steps = play(env, after)
    for choice, (observation, reward, _, _, info) in zip(after, steps, strict=True):
        observations, rewards, terminations, truncations, infos = branch.step([choice] * 3)
        reseeded.step([choice] * 4)
        for index in range(3):
            assert same(observations[index], observation)
            assert same({name: infos[name][index] for name in info}, info)
        assert (rewards == reward).all()
        assert not (terminations | truncations).any()
    assert branch.states() == [env.state()] * 3
    states = reseeded.states()
    assert states[0] == states[2]
    assert len(set(states)) == 3
    assert states[3] == env.state()
    one = reseeded.branch(2, index=1)
    assert one.states() == [states[1]] * 2


def test_a_game_in_a_batch_has_ended_by_the_steps_that_it_was_saved_after() -> None:
    long, short = Cage2VectorEnv(2), Cage2VectorEnv(2, max_episode_steps=5)
    long.reset(seed=1)
    short.reset(seed=3)
    for _ in range(4):
        long.step([0, 0])
    (state,) = long.states([1])
    _, infos = short.set_states([state], [0])
    assert infos["_red_hosts"].tolist() == [True, False]
    assert short.step([0, 0])[3].tolist() == [True, False]
    long.step([0, 0])
    short.set_states(long.states([1]), [1])
    short.step([0, 0])  # both start anew
    assert short._num_steps.tolist() == [0, 0]


def test_through_make_the_time_limit_counts_on() -> None:
    env = gymnasium.make("pipeline.cage2.gym:Cage2-v0", max_episode_steps=5)
    env.reset(seed=1)
    state = env.unwrapped.state()  # type: ignore[attr-defined]
    for _ in range(4):
        env.step(0)
    env.unwrapped.set_state(state)  # type: ignore[attr-defined]
    assert env.step(0)[3]


def other_memory(state: EnvState, name: str, value: int) -> EnvState:
    memory = np.frombuffer(state.memory[: MEMORY.itemsize], dtype=MEMORY).copy()
    memory[name] = value
    return dataclasses.replace(state, memory=memory.tobytes() + state.memory[MEMORY.itemsize :])


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    env = Cage2GymEnv(observation_memory=True)
    env.reset(seed=1)
    play(env, [0] * 20)
    state = env.state()

    def of(**options: Any) -> EnvState:
        other = Cage2GymEnv(**({"observation_memory": True} | options))
        other.reset(seed=1)
        return other.state()

    replace = dataclasses.replace
    for wrong, message in (
        (None, "not a state of an environment but NoneType"),
        (state.game, "not a state of an environment but GameState"),
        (replace(state, layout="0" * 16), "another version .its memory"),
        (replace(state, game=replace(state.game, layout="0" * 16)), "another version .its game"),
        (replace(state, game=state), "not a state of a game but EnvState"),
        (replace(state, memory=b""), "another memory"),
        (replace(state, memory=bytes(len(state.memory))), "is_seen 0, here it is 1"),
        (replace(state, memory=state.memory[:-1] + b"\2"), "not bits"),
        (other_memory(state, "scanned", 1 << 13), "scanned is not 0 to 8191"),
        (other_memory(state, "step", -1), "step is not 0 to"),
        (replace(state, origin=None), "began nowhere"),
        (replace(state, origin=b"\xff" * 2500), "began nowhere"),
        (of(red_agent="RedMeanderAgent"), "Red agent RedMeanderAgent; here it is B_lineAgent"),
        (of(profile="leaderboard"), "profile leaderboard; here it is head"),
        (of(observation="corrected"), "observation corrected"),
        (of(episode_steps=30), "num_steps 30, here it is 100"),
        (of(observation_memory=False), "another memory"),
        (of(actions="merged"), "is_merged 1, here it is 0"),
        (of(actions="merged", observation_memory=False), "another memory"),
    ):
        with pytest.raises(StateError, match=message):
            env.set_state(wrong)  # type: ignore[arg-type]
        assert env.state() == state
    with pytest.raises(StateError, match="with a memory or merged actions"):
        Cage2GymEnv().set_state(state)
    mixed = Cage2GymEnv("Mixed", observation_memory=True)
    mixed.set_state(state)
    assert mixed.state() == state
    mixed.reset()  # agents take turns
    assert mixed.state().game != state.game
    with pytest.raises(StateError, match="Red agent RedMeanderAgent"):
        env.set_state(mixed.state())


def test_only_a_game_that_has_begun_can_be_saved() -> None:
    env, games = Cage2GymEnv(), Cage2VectorEnv(2)
    for act in (env.state, lambda: env.branch(2), games.states, lambda: games.branch(2)):
        with pytest.raises(error.ResetNeeded, match="call reset"):
            act()
    games.reset(seed=1)
    games.set_states([], [])
    with pytest.raises(ValueError, match="integers from 0 to 1"):
        games.states([2])
    with pytest.raises(ValueError, match="1 states for 2 games"):
        games.set_states(games.states([0]))
    with pytest.raises(ValueError, match="1 seeds for 2 games"):
        games.branch(2, [1])
    with pytest.raises(OptionError, match="1 or more"):
        games.branch(0)
    env.set_state(games.states()[0])
    assert env.state() == games.states()[0]


def test_cyborg_s_own_games_say_what_to_use_instead() -> None:
    env = Cage2GymEnv(engine="cyborg")
    env.reset(seed=1)
    for act in (env.state, lambda: env.branch(2), lambda: env.set_state(None)):  # type: ignore[arg-type]
        with pytest.raises(UnsavedGameError, match="engine='fast'"):
            act()
