"""How games are asked for. What they then play is shown in `test_env`."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from pipeline.cage2.facts.names import UnknownRedAgentError
from pipeline.cage2.gym import ENV_ID
from pipeline.cage2.gym.env import Cage2GymEnv
from pipeline.cage2.gym.games import OptionError
from pipeline.cage2.gym.vector import Cage2VectorEnv


@pytest.mark.parametrize(
    ("option", "value", "advice"),
    [
        ("engine", "slow", "fast, cyborg"),
        ("profile", "tail", "head, leaderboard"),
        ("observation", "none", "stock, corrected"),
        ("render_mode", "braille", "ansi"),
        ("observation_memory", None, "False, True"),
        ("actions", "few", "all, merged"),
        ("episode_steps", 0, "1 or more"),
        ("episode_steps", 30, "max_episode_steps"),
    ],
)
def test_options_are_checked(option: str, value: Any, advice: str) -> None:
    with pytest.raises(OptionError, match=advice):
        Cage2GymEnv(**{option: value})


def test_what_else_can_t_be_made() -> None:
    with pytest.raises(UnknownRedAgentError, match="RedMeanderAgent, SleepAgent, Mixed"):
        gymnasium.make(ENV_ID, red_agent="Meander")
    with pytest.raises(OptionError, match="engine='fast'"):
        gymnasium.make(ENV_ID, engine="cyborg", profile="leaderboard")


@pytest.mark.parametrize("engine", ["fast", "cyborg"])
def test_a_reset_has_no_options(engine: str) -> None:
    """`red_agent` once was ignored without a word."""
    env = gymnasium.make(ENV_ID, engine=engine)
    with pytest.raises(OptionError, match="reset has no option 'red_agent', none: a game is chosen when it is made"):
        env.reset(options={"red_agent": "SleepAgent"})
    for options in (None, {}):
        env.reset(seed=0, options=options)


@pytest.mark.parametrize("mode", ["vector_entry_point", "sync"])
def test_a_reset_of_many_games_has_one(mode: str) -> None:
    envs = gymnasium.make_vec(ENV_ID, 2, vectorization_mode=mode)
    with pytest.raises(OptionError, match="reset has no option 'red_agent'"):
        envs.reset(options={"red_agent": "SleepAgent"})
    envs.reset()
    envs.reset(options={"reset_mask": np.array([True, False])})


def test_the_one_that_there_is_is_named() -> None:
    with pytest.raises(OptionError, match="reset has no option 'mask', only reset_mask"):
        Cage2VectorEnv(2).reset(options={"mask": np.array([True, False])})
