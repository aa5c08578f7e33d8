from __future__ import annotations

import json
import sys
from importlib import import_module
from statistics import fmean
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MistakeTold


def test_it_trains_each_seed_once_and_tells_what_they_score(
    tmp_path: Path, commands_here: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[str, str]:
        tiny = ("--profile=leaderboard", "--seeds=2", "--total-episodes=64", "--episodes=2")
        monkeypatch.setattr(sys, "argv", ["best.py", f"--runs={tmp_path}", *tiny, *arguments])
        assert import_module("best").main() == 0
        printed, told = capsys.readouterr()
        return printed, told

    printed, told = run("--json")
    results = json.loads(printed)["leaderboard"]
    assert [(each["seed"], each["trained_on"], each["game"]["profile"]) for each in results] == [
        (0, "leaderboard", "leaderboard"),
        (1, "leaderboard", "leaderboard"),
    ]
    assert told.count(": training\n") == 2

    printed, told = run()
    assert "training" not in told
    (total,) = (line for line in printed.splitlines() if "all nine" in line)
    totals = [each["total_score"]["mean"] for each in results]
    for value in (*totals, fmean(totals)):
        assert f"{value:.2f}" in total
    assert len([line for line in printed.splitlines() if "B_lineAgent" in line]) == 3


@pytest.mark.parametrize(
    ("argument", "told"),
    [("--seeds=11", "--seeds takes 1 to 10"), ("--episodes=0", "take 1 or more"), ("--profile=today", "today")],
)
def test_a_mistake_is_told_in_one_line(mistake_told: MistakeTold, argument: str, told: str) -> None:
    (error,) = mistake_told("best", "--runs=none", argument)
    assert error.startswith("error: ")
    assert told in error
