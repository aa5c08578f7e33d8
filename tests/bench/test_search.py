from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import MistakeTold


def test_it_measures_what_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["search.py", "--seeds=2", "--jobs=1", "--rules=random,prototype", "--json"])
    assert import_module("search").main() == 0
    printed, told = capsys.readouterr()
    assert "4/4 searches" in told
    result: dict[str, Any] = json.loads(printed)
    assert [row["rule"] for row in result["rows"]] == ["random", "prototype"]
    for row in result["rows"]:
        assert [len(table) for name, table in row.items() if name != "rule"] == [4, 4, 9, 9, 4]
        hard = [score["mean"] for name, score in row["by_landscape"].items() if name != "tied"]
        assert row["average"]["after 30"]["mean"] == pytest.approx(np.mean(hard))
        assert row["average"]["after 30"]["mean"] == pytest.approx(
            np.mean([score["mean"] for score in row["by_noise"].values()])
        )


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--rules=best", "unknown rule best: choose from random"),
        ("--seeds=0", "--seeds is 1 to 10000"),
        ("--first-seed=-1", "0 or more"),
    ],
)
def test_a_mistake_is_told_in_one_line(mistake_told: MistakeTold, argument: str, told: str) -> None:
    (error,) = mistake_told("search", argument)
    assert error.startswith("error: ")
    assert told in error
