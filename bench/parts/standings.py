"""The rows of a game's table: a defender's runs taken together, with intervals, and what others have published."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.cage2.facts.names import Profile

NORMAL_95: Final = 1.96
"""Standard errors to either side, of the mean of many episodes."""
STUDENT_95: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""The same of the mean of 2, 3, ... 10 seeds: Student's t with as many degrees of freedom less one."""
MAX_SEEDS: Final = len(STUDENT_95) + 1


class Interval(NamedTuple):
    """A mean, and half the width of its interval of 95 %, in points."""

    mean: float
    half_width: float | None
    """None where none is told."""


@dataclass(frozen=True)
class Standing:
    """A row of a game's table."""

    name: str
    trained_on: str | None
    seeds: tuple[int, ...]
    """Of its runs; empty for what isn't trained."""
    cells: tuple[Interval, ...]
    """`[9]`, of the scenarios in the order of the protocol."""
    total: Interval
    published: dict[str, Any] | None = None
    """The published score, if it is one."""

    @property
    def low(self) -> float:
        """The lower end of the total's interval."""
        return self.total.mean - (self.total.half_width or 0.0)

    @property
    def high(self) -> float:
        """The upper end of the total's interval."""
        return self.total.mean + (self.total.half_width or 0.0)


def standings(table: dict[str, Any], profile: Profile) -> list[Standing]:
    """Return the rows of a game, the highest total first.

    Args:
        table: The JSON of `leaderboard.py`.
        profile: The game.
    """
    groups: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for result in table["results"]:
        if result["game"]["profile"] == profile:
            groups.setdefault((result["row"], result["trained_on"]), []).append(result)
    rows = [_measured(name, trained_on, results) for (name, trained_on), results in groups.items()]
    rows += [_published(score) for score in table["published"] if score["game"] == profile]
    return sorted(rows, key=lambda row: -row.total.mean)


def winner(table: dict[str, Any]) -> Standing:
    """Return the contest's winner, on the contest's game."""
    return next(_published(score) for score in table["published"] if score["rank"] == 1)


def over_episodes(value: dict[str, float]) -> Interval:
    """Return the interval of one run's mean: over its episodes.

    Args:
        value: With `mean` and `stderr`, as `run.py evaluate --json` has them.
    """
    return Interval(value["mean"], NORMAL_95 * value["stderr"])


def over_runs(values: Sequence[dict[str, float]]) -> Interval:
    """Return the interval of a mean: over runs if there are several, over episodes if there is one.

    Args:
        values: A run's each; see `over_episodes`.
    """
    if len(values) == 1:
        return over_episodes(values[0])
    means = [value["mean"] for value in values]
    stderr = statistics.stdev(means) / math.sqrt(len(means))
    return Interval(statistics.fmean(means), STUDENT_95[len(means) - 2] * stderr)


def _measured(name: str, trained_on: str | None, results: list[dict[str, Any]]) -> Standing:
    return Standing(
        name=name,
        trained_on=trained_on,
        seeds=tuple(result["seed"] for result in results if result["seed"] is not None),
        cells=tuple(map(over_runs, zip(*(result["scenarios"] for result in results), strict=True))),
        total=over_runs([result["total_score"] for result in results]),
    )


def _published(score: dict[str, Any]) -> Standing:
    return Standing(
        name=score["name"],
        trained_on=None,
        seeds=(),
        cells=tuple(Interval(mean, None) for mean in score["means"]),
        total=Interval(score["total"], score["half_width"]),
        published=score,
    )
