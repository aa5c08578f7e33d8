from __future__ import annotations

from typing import Any

import pytest


def result(row: str, trained_on: str | None, seed: int | None, profile: str, mean: float) -> dict[str, Any]:
    """Return a run whose every mean is `mean`, as the JSON has it."""
    return {
        "row": row,
        "trained_on": trained_on,
        "seed": seed,
        "game": {"profile": profile},
        "scenarios": [{"mean": mean, "stderr": 0.5}] * 9,
        "total_score": {"mean": 9 * mean, "stderr": 1.5},
    }


def published(name: str, game: str | None, total: float, half_width: float | None, rank: int | None) -> dict[str, Any]:
    return {
        "name": name,
        "game": game,
        "means": [total / 9] * 9,
        "total": total,
        "half_width": half_width,
        "rank": rank,
    }


TABLE = {
    "results": [
        result("restore", None, None, "head", -20.0),
        result("best", "leaderboard", 0, "head", -5.0),
        result("best", "leaderboard", 1, "head", -6.0),
        result("best", "leaderboard", 2, "head", -10.0),
        result("best", "head", 0, "head", -4.0),
        result("best", "head", 0, "leaderboard", -3.0),
    ],
    "published": [
        published("second", "leaderboard", -57.0, 0.5, 2),
        published("first", "leaderboard", -54.0, 0.4, 1),
        published("unchanged", "head", -86.0, None, None),
    ],
}


def test_a_game_has_its_own_rows_the_highest_total_first() -> None:
    from parts.standings import standings

    rows = [(row.name, row.trained_on, row.seeds) for row in standings(TABLE, "head")]
    assert rows == [
        ("best", "head", (0,)),
        ("best", "leaderboard", (0, 1, 2)),
        ("unchanged", None, ()),
        ("restore", None, ()),
    ]
    assert [row.name for row in standings(TABLE, "leaderboard")] == ["best", "first", "second"]


def test_one_run_has_the_interval_of_its_episodes() -> None:
    from parts.standings import standings

    row = standings(TABLE, "head")[0]
    assert row.cells == ((-4.0, pytest.approx(1.96 * 0.5)),) * 9
    assert row.total == (-36.0, pytest.approx(1.96 * 1.5))


def test_several_seeds_have_that_of_students_t() -> None:
    """By hand: -5, -6 and -10 deviate by the root of 7 from -7, and t is 4.303 with two degrees of freedom."""
    from parts.standings import standings

    row = standings(TABLE, "head")[1]
    assert row.cells == ((pytest.approx(-7.0), pytest.approx(4.303 * 7**0.5 / 3**0.5)),) * 9
    assert row.total == (pytest.approx(-63.0), pytest.approx(9 * 4.303 * 7**0.5 / 3**0.5))
    assert (row.low, row.high) == pytest.approx((-63.0 - 59.155, -63.0 + 59.155), abs=1e-2)


def test_as_many_seeds_as_there_are_quantiles() -> None:
    from parts.standings import MAX_SEEDS, over_runs

    values = [{"mean": float(seed), "stderr": 1.0} for seed in range(MAX_SEEDS)]
    assert over_runs(values) == (4.5, pytest.approx(2.262 * 3.02765 / 10**0.5, rel=1e-5))


def test_the_winner_is_the_first_on_the_contests_leaderboard() -> None:
    from parts.standings import winner

    assert (winner(TABLE).name, winner(TABLE).total) == ("first", (-54.0, 0.4))
