from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

if TYPE_CHECKING:
    from tests.bench.conftest import Measured

DOCS = Path(__file__).parents[2] / "docs"
CELLS: list[dict[str, Any]] = json.loads((DOCS / "limits.json").read_text())["cells"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_it_computes_what_the_page_says(measured: Measured) -> None:
    made = measured("limits", "--profiles", "head", "--red-agents", "B_lineAgent", "--episodes", "3")
    for cell, told in zip(made["cells"], CELLS[:3], strict=True):
        for name in ("profile", "red_agent", "steps", "best_published"):
            assert cell[name] == told[name]
        for name in ("every_defender", "seeing_the_table"):
            assert cell[name] == pytest.approx(told[name])
        assert cell["informed"]["mean"] < 0


def test_the_page_has_what_was_computed_rounded_up() -> None:
    page = (DOCS / "limits.md").read_text()
    for cell in CELLS:
        bounds = [math.ceil(100 * cell[name]) / 100 for name in ("every_defender", "seeing_the_table")]
        attacker = cell["red_agent"].removeprefix("Red").removesuffix("Agent")
        assert (
            f"| `{cell['profile']}` | {attacker} | {cell['steps']} | **{bounds[0]:.2f}** | **{bounds[1]:.2f}** |"
            in page
        )


def test_nobody_is_above_a_bound() -> None:
    for cell in CELLS:
        assert cell["seeing_the_table"] < cell["every_defender"]
        assert max(cell["best_trained"], cell["best_published"]) < cell["seeing_the_table"]
        assert cell["informed"]["mean"] < cell["every_defender"] + 4 * cell["informed"]["stderr"]


def test_its_picture_is_drawn_from_the_same_cells() -> None:
    from parts.limits_picture import picture

    drawn = (DOCS / "pictures" / "limits.svg").read_text()
    assert drawn == picture(CELLS)
    bands = [each for each in ElementTree.fromstring(drawn) if each.tag.endswith("rect") and each.get("height") == "14"]  # noqa: S314 - made here
    assert len(bands) == 2 * len(CELLS)


def test_the_best_of_a_cell_is_taken_over_seeds_and_from_its_own_game() -> None:
    from parts.reached import best_published, best_trained

    def run(row: str, profile: str, mean: float) -> dict[str, Any]:
        scenario = {"steps": 30, "red_agent": "RedMeanderAgent", "mean": mean}
        return {"row": row, "trained_on": "head", "game": {"profile": profile}, "scenarios": [scenario]}

    leaderboard = {
        "results": [
            *(run("best", "head", mean) for mean in (-5.0, -7.0)),
            run("memory", "head", -8.0),
            run("best", "leaderboard", -1.0),
            run("restore", "head", -2.0),
        ],
        "published": [
            {"game": "head", "means": [-1, -9, 0, *[0] * 6]},
            {"game": "leaderboard", "means": [-1, -3, 0, *[0] * 6]},
        ],
    }
    assert best_trained(leaderboard, "head", "RedMeanderAgent", 30) == -6.0
    assert best_trained(leaderboard, "head", "B_lineAgent", 30) is None
    assert best_published(leaderboard, "head", "RedMeanderAgent", 30) == -9
