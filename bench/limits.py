"""How good a defender can be: bounds for every game, attacker and length, beside what has been reached.

    python bench/limits.py --to docs
    python bench/limits.py --profiles head --red-agents B_lineAgent --episodes 0

A bound is the optimum of a relaxed game, solved exactly (docs/limits.md). *Every defender* is held by the first, one
that sees the challenge's table and no more by the second. The informed defender sees what is hidden and plays the
relaxed game's optimum on the engine: where it comes close, no better bound holds for every defender.

All take some 20 minutes on one core, B_line on today's game a quarter of one.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
from parts.limits_picture import picture
from parts.reached import best_published, best_trained, read_leaderboard
from rich.console import Console
from rich.table import Table

from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts.names import Profile
from pipeline.command.options import Parser
from pipeline.estimates import estimate_of_tenths
from pipeline.limits.bounds import bounds_of
from pipeline.limits.informed import informed
from pipeline.persist.files import write_json

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import RedAgent
    from pipeline.limits.informed import Defender
    from pipeline.types import Estimate

LENGTHS: Final = (30, 50, 100)
RED_AGENTS: Final = ("B_lineAgent", "RedMeanderAgent")
FIRST_SEED: Final = 5_000_000
"""Of the informed defender's games."""
ROOT: Final = Path(__file__).parents[1]


def play(defender: Defender, profile: Profile, red_agent: RedAgent, num_steps: int, num_episodes: int) -> Estimate:
    """Return the mean return of a defender that sees all, over games with seeds of their own."""
    batch = GameBatch(num_episodes, red_agent, profile)
    batch.reset(range(FIRST_SEED, FIRST_SEED + num_episodes))
    tenths = np.zeros(num_episodes, dtype=np.int64)
    for steps_left in range(num_steps, 0, -1):
        games = zip(batch.games, batch.lists, strict=True)
        batch.step([defender.act(game, lists, steps_left) for game, lists in games])
        tenths += batch.rewards
    return estimate_of_tenths(tenths)


def cells(profile: Profile, red_agent: RedAgent, num_episodes: int) -> list[dict[str, Any]]:
    """Return what is known of one game and attacker, a row for each length, in points."""
    seeing_all = bounds_of(profile, red_agent)
    rows = [
        {
            "profile": profile,
            "red_agent": red_agent,
            "steps": length,
            "every_defender": seeing_all.of_episode(length),
            "informed": asdict(play(informed(seeing_all), profile, red_agent, length, num_episodes))
            if num_episodes
            else None,
        }
        for length in LENGTHS
    ]
    del seeing_all  # it is large
    seeing_the_table = bounds_of(profile, red_agent, sees_all=False)
    for row in rows:
        row["seeing_the_table"] = seeing_the_table.of_episode(int(row["steps"]))
    return rows


def main() -> None:
    """Compute, and print or write."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    profiles = get_args(Profile)
    parser.add_argument("--profiles", nargs="+", choices=profiles, default=profiles, help="which games [both]")
    parser.add_argument("--red-agents", nargs="+", choices=RED_AGENTS, default=RED_AGENTS, help="who attacks [both]")
    parser.add_argument("--episodes", type=int, default=1000, metavar="N", help="of the informed defender [1000]")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="write limits.json and pictures/limits.svg there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    leaderboard = read_leaderboard(ROOT / "docs" / "leaderboard.json")
    rows = []
    for profile in options.profiles:
        for red_agent in options.red_agents:
            for row in cells(profile, red_agent, options.episodes):
                place = (row["profile"], row["red_agent"], row["steps"])
                reached = {
                    "best_trained": best_trained(leaderboard, *place),
                    "best_published": best_published(leaderboard, *place),
                }
                rows.append(row | reached)
    if options.to is not None:
        (options.to / "pictures").mkdir(parents=True, exist_ok=True)
        write_json(options.to / "limits.json", {"episodes": options.episodes, "cells": rows})
        (options.to / "pictures" / "limits.svg").write_text(picture(rows), encoding="utf-8")
    if options.json:
        print(json.dumps({"cells": rows}, indent=2))
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Mean return: no defender is above the bounds")
    for heading in ("game", "attacker", "steps", "every defender", "seeing the table", "informed", "trained here"):
        table.add_column(heading)
    table.add_column("published")
    for row in rows:
        played = row["informed"]
        table.add_row(
            *(str(row[name]) for name in ("profile", "red_agent", "steps")),
            *(f"{row[name]:.3f}" for name in ("every_defender", "seeing_the_table")),
            f"{played['mean']:.2f} ± {played['stderr']:.2f}" if played else "",
            *("" if row[name] is None else f"{row[name]:.2f}" for name in ("best_trained", "best_published")),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
