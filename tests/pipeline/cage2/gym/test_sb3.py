from __future__ import annotations

import gymnasium
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="an extra: sb3")

from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from pipeline.cage2.facts import spec
from pipeline.cage2.gym import ENV_ID
from pipeline.cage2.gym.games import OptionError
from pipeline.cage2.gym.sb3 import Sb3VecEnv

NUM_ENVS = 3


def make(**options: object) -> Sb3VecEnv:
    return Sb3VecEnv(gymnasium.make_vec(ENV_ID, NUM_ENVS, autoreset_mode="SameStep", **options))


def test_it_is_stable_baselines3_s_own_vector_of_single_games() -> None:
    ours = make(max_episode_steps=6)
    theirs = DummyVecEnv([lambda: gymnasium.make(ENV_ID, max_episode_steps=6)] * NUM_ENVS)
    for games in (ours, theirs):
        games.seed(4)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    rng = np.random.default_rng(0)
    for _ in range(20):
        chosen = rng.integers(0, spec.NUM_ACTIONS, NUM_ENVS)
        our_step, their_step = ours.step(chosen), theirs.step(chosen)
        for our_part, their_part in zip(our_step[:3], their_step[:3], strict=True):
            assert our_part.dtype == their_part.dtype
            np.testing.assert_array_equal(our_part, their_part)
        for our_info, their_info in zip(our_step[3], their_step[3], strict=True):
            assert our_info.get("TimeLimit.truncated", False) == their_info["TimeLimit.truncated"]
            np.testing.assert_array_equal(
                our_info.get("terminal_observation", 0), their_info.get("terminal_observation", 0)
            )


def test_a_seed_counts_once() -> None:
    games = make()
    played = []
    for seed in (1, None, 1):
        if seed is not None:
            games.seed(seed)
        games.reset()
        played.append([games.step(np.full(NUM_ENVS, action))[1].tolist() for action in range(60, 100)])
    assert played[0] == played[2] != played[1]


def test_attributes_and_methods_of_each_game() -> None:
    games = make()
    games.reset()
    assert games.get_attr("action_space", [0, 2]) == [games.action_space] * 2
    masks = games.env_method("action_masks", indices=1)
    assert len(masks) == 1
    assert masks[0].shape == (spec.NUM_ACTIONS,)
    games.step(np.arange(NUM_ENVS))
    views = games.env_method("view", indices=[2, 0])
    assert [view.blue_action for view in views] == [2, 0]
    assert games.env_method("render") == [None] * NUM_ENVS
    (state,) = games.env_method("state", indices=2)
    games.env_method("set_state", state, indices=0)
    assert games.env_method("state", indices=[0, 2]) == [state] * 2
    assert games.env_method("branch", 2, indices=0)[0].states() == [state] * 2
    assert games.has_attr("action_masks")
    assert not games.has_attr("missing")
    assert games.env_is_wrapped(gymnasium.Wrapper) == [False] * NUM_ENVS
    with pytest.raises(AttributeError, match="when making it"):
        games.set_attr("max_episode_steps", 5)
    games.close()


def test_pictures() -> None:
    games = make(render_mode="rgb_array")
    games.reset()
    assert games.render().shape[2] == 3  # type: ignore[union-attr] # that mode has one
    assert list(make().get_images()) == [None] * NUM_ENVS


def test_returns_are_monitored() -> None:
    games = VecMonitor(make(max_episode_steps=4))
    games.reset()
    for _ in range(4):
        _, _, done, infos = games.step(np.zeros(NUM_ENVS, dtype=np.int64))
    assert done.all()
    assert all(info["episode"]["l"] == 4 for info in infos)


def test_another_autoreset_mode_is_refused() -> None:
    with pytest.raises(OptionError, match="SameStep"):
        Sb3VecEnv(gymnasium.make_vec(ENV_ID, 2))


def test_options_that_stable_baselines3_keeps_for_the_next_reset_are_refused() -> None:
    games = make()
    games.set_options({"red_agent": "SleepAgent"})
    with pytest.raises(OptionError, match="reset has no option 'red_agent'"):
        games.reset()
