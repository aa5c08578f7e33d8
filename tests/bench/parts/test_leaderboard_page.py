from __future__ import annotations

import json
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[3] / "docs"


def result(row: str, trained_on: str | None, seed: int | None, profile: str, total: float) -> dict[str, Any]:
    scenarios = [
        {"steps": steps, "red_agent": red_agent, "mean": float(-steps - number), "stderr": 0.1, "std": 3.0}
        for steps, (number, red_agent) in product((30, 50, 100), enumerate(("B_lineAgent", "RedMeanderAgent")))
    ]
    for place in (2, 5, 8):
        scenarios.insert(place, {"steps": 0, "red_agent": "SleepAgent", "mean": 0.0, "stderr": 0.0, "std": 0.0})
    return {
        "row": row,
        "trained_on": trained_on,
        "seed": seed,
        "train": f"python run.py --seed {seed}" if trained_on else None,
        "evaluate": f"python run.py evaluate {row} --profile {profile}",
        "commit": "c0ffee",
        "game": {"profile": profile, "engine": "fast", "cyborg": "csle-cyborg 0.0.3"},
        "scenarios": scenarios,
        "total_score": {"mean": total, "stderr": 0.1},
    }


def table(*results: dict[str, Any], missing: tuple[str, ...] = ()) -> dict[str, Any]:
    from pipeline.report.published import SCORES

    made = {
        "version": "0.1.0",
        "episodes": 1000,
        "results": results,
        "published": [asdict(score) for score in SCORES],
        "missing": missing,
    }
    return dict(json.loads(json.dumps(made)))


def test_every_number_stands_under_its_scenario() -> None:
    from parts.leaderboard_page import page

    made = page(table(result("restore", None, None, "head", -200.0), result("best", "head", 0, "leaderboard", -70.0)))
    (row,) = [line for line in made.splitlines() if line.startswith("| `restore` |")]
    heads = made[: made.index(row)].splitlines()[-3]
    cells = dict(zip(heads.split(" | "), row.split(" | "), strict=True))
    assert cells["B_line 30"] == "-30.00 ± 0.20"
    assert cells["B_line 100"] == "-100.00 ± 0.20"
    assert cells["Meander 50"] == "-51.00 ± 0.20"
    assert cells["Sleep 50"] == "0"
    assert cells["total |"] == "**-200.00 ± 0.20** |"
    on_head, on_leaderboard = made.split("## `leaderboard`")
    assert "| `restore` |" in on_head
    assert "| `restore` |" not in on_leaderboard
    assert "| *published:* CardiffUni: PPO + Greedy Decoys |" in on_leaderboard
    assert "| *published:* CardiffUni" not in on_head


def test_it_says_which_game_is_which_before_any_score() -> None:
    from parts.leaderboard_page import page

    opening = page(table(result("restore", None, None, "head", -200.0))).partition("|")[0]
    assert "**`head`**: CybORG's main branch" in opening
    assert "**`leaderboard`**: the contest's final day" in opening
    assert "commit c0ffee" in opening
    assert "Missing" not in opening


@pytest.mark.parametrize(
    ("totals", "said"),
    [
        ((-54.9,), "better: none; level: `best` trained on `leaderboard`, one seed (-54.90 ± 0.20)"),
        ((-53.9,), "better: none; level: `best` trained on `leaderboard`, one seed (-53.90 ± 0.20)"),
        ((-53.4, -53.5), "better: `best` trained on `leaderboard`, 2 seeds (-53.45 ± 0.64); level: none"),
        ((-55.3,), "better: none; level: none"),
        ((-54.8, -55.0), "better: none; level: `best` trained on `leaderboard`, 2 seeds (-54.90 ± 1.27)"),
        ((-54.0, -60.0), "better: none; level: none"),  # ± 38, in which the winner lies
    ],
)
def test_what_may_be_called_level_with_the_winner(totals: tuple[float, ...], said: str) -> None:
    """Whose total is -54.57 ± 0.43."""
    from parts.leaderboard_page import page

    runs = [result("best", "leaderboard", seed, "leaderboard", total) for seed, total in enumerate(totals)]
    assert said in page(table(*runs))


def test_what_is_missing_is_said() -> None:
    from parts.leaderboard_page import page

    missing = ("random", "best trained on head, seed 0", "best trained on head, seed 1", "sb3 trained on head, seed 0")
    made = page(table(result("sleep", None, None, "head", -3111.0), missing=missing))
    told = "random; best trained on head, seed 0 and 1; sb3 trained on head, seed 0."
    assert f"**Missing**, not trained or not played: {told}" in made


def test_it_says_how_each_was_made() -> None:
    from parts.leaderboard_page import page

    runs = [result("best", "head", 0, profile, -53.0) for profile in ("head", "leaderboard")]
    commands = page(table(*runs)).rpartition("## How each was made")[2]
    assert commands.count("python run.py --seed 0\n") == 1
    assert commands.count("python run.py evaluate best --profile") == 2


def test_every_row_is_explained() -> None:
    from parts.entrants import ROWS
    from parts.leaderboard_page import ABOUT

    assert set(ABOUT) == set(ROWS)


def test_the_page_in_docs_is_made_from_the_file_beside_it() -> None:
    from parts.leaderboard_page import page

    assert (DOCS / "leaderboard.md").read_text() == page(json.loads((DOCS / "leaderboard.json").read_text()))
