from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def test_it_is_the_compiled_agent_game_by_game(same_games: Callable[[str, str], None]) -> None:
    same_games("SleepAgent", "pipeline.cage2.attackers.sleep:Sleep")
