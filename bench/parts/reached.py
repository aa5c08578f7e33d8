"""What defenders have reached, by the results that docs/leaderboard.json has."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from pipeline.persist.files import read_json

if TYPE_CHECKING:
    from pathlib import Path

_TRAINED: Final = ("best", "memory", "merged", "plain")
"""Rows that this project has trained."""
_SCENARIOS: Final = [(steps, agent) for steps in (30, 50, 100) for agent in ("B_lineAgent", "RedMeanderAgent", None)]
"""In the order of published means; the last of three is against nobody."""


def read_leaderboard(path: Path) -> dict[str, Any]:
    """Return what the leaderboard was made from."""
    leaderboard: dict[str, Any] = read_json(path)
    return leaderboard


def best_trained(leaderboard: dict[str, Any], profile: str, red_agent: str, steps: int) -> float | None:
    """Return the highest mean of what this project has trained, on whichever game, over its seeds."""
    scores: dict[tuple[str, str], list[float]] = {}
    for row in leaderboard["results"]:
        if row["row"] in _TRAINED and row["game"]["profile"] == profile:
            scores.setdefault((row["row"], row["trained_on"]), []).extend(
                scenario["mean"]
                for scenario in row["scenarios"]
                if (scenario["steps"], scenario["red_agent"]) == (steps, red_agent)
            )
    return max((fmean(seeds) for seeds in scores.values() if seeds), default=None)


def best_published(leaderboard: dict[str, Any], profile: str, red_agent: str, steps: int) -> float | None:
    """Return the highest mean that others have published for a game."""
    place = _SCENARIOS.index((steps, red_agent))
    return max((score["means"][place] for score in leaderboard["published"] if score["game"] == profile), default=None)
