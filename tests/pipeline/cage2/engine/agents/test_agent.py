from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.engine.agents import agent
from pipeline.cage2.engine.red import ACTIONS, TARGETS
from pipeline.cage2.facts import spec
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY = (
    *("script_index", "script_seen", "script_user"),
    *("swept", "scanned", "exploited", "escalated", "mapped", "last_exploit", "last_escalation"),
)


@kernel
def choose(games: Any) -> tuple[int, int]:
    return agent.choose(games[0])


@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_choosing_is_not_acting(play: Callable[..., Any], red_agent: str) -> None:
    """It draws, and changes what the agent remembers; all else is as before, and what it chose can be carried out."""
    game = play(red_agent, 5)
    games = game.env.batch.games
    apart = [name for name in games.dtype.names if name not in (*MEMORY, "words", "word_index")]
    for _ in range(60):
        before = games.copy()
        action, target = choose(games)
        assert 0 <= action < len(ACTIONS)
        assert target in TARGETS[action]
        assert all(np.array_equal(games[name], before[name]) for name in apart)
        game.env.batch.step(0, [(action, target)])
        assert (games["red_action"][0], games["red_target"][0]) == (action, target)


@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_a_reset_forgets(play: Callable[..., Any], red_agent: str) -> None:
    game, new = play(red_agent), play(red_agent)
    for _ in range(80):
        game.blue("Sleep")
    game.env.reset(3)
    new.env.reset(3)
    assert all(game.game[name] == new.game[name] for name in MEMORY)
