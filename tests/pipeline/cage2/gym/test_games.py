"""How games are asked for. What they then play is shown in `test_env`."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest

from pipeline.cage2.cyborg.env import UnknownRedAgentError
from pipeline.cage2.gym import ENV_ID
from pipeline.cage2.gym.env import Cage2GymEnv
from pipeline.cage2.gym.games import OptionError


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
