"""The agent that plays Red in a game, one of CybORG's three.

An agent chooses and does not act: what it chose is carried out by `red.carry_out`, as any other attacker's choice is.
It knows of the game what CybORG's agent is shown: how Red's last action ended (`red_success`, `red_listing`) and what
Red knows by now. What it remembers besides are the fields of a game under "Red's agent" (`state`).
"""

from __future__ import annotations

from typing import Any

from pipeline.cage2.engine.agents import b_line, meander, sleep
from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.numerics.compiled import compiled

B_LINE = RED_AGENTS.index("B_lineAgent")
MEANDER = RED_AGENTS.index("RedMeanderAgent")


@compiled
def reset(game: Any) -> None:
    """Forget the last episode."""
    b_line.reset(game)
    meander.reset(game)


@compiled
def choose(game: Any) -> tuple[int, int]:
    """Return what Red's agent does next, an action of `red.ACTIONS` and its target; draw and remember what it takes."""
    agent = game.red_agent
    if agent == B_LINE:
        return b_line.choose(game)
    if agent == MEANDER:
        return meander.choose(game)
    return sleep.choose(game)
