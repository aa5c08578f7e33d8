from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from types import ModuleType


@pytest.fixture
def learner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(torch, "set_num_threads", lambda num_threads: None)  # this process goes on with what it has
    monkeypatch.setattr("sys.argv", ["learner.py", "--episodes=2", "--distinct", "7", "--repeats=1"])
    return import_module("learner")


def test_it_measures_what_is_asked_for(learner: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    learner.main()
    made_up, played = (
        [cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()[-2:]
    )
    assert made_up[:2] == ["default", "7 of 200"]
    assert played[0] == "memory, merged, thorough"
    assert played[1].endswith(" of 400")
    for cells in (made_up, played):
        assert len(cells) == 11
        assert all(float(cell.removesuffix(" ms")) > 0 for cell in cells[2:])


def test_json_has_the_same_rows(
    learner: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", [*sys.argv, "--json"])
    learner.main()
    told = json.loads(capsys.readouterr().out)
    assert [row["num_steps"] for row in told["rows"]] == [200, 400]
    assert all(row["compiled_ms"] > 0 for row in told["rows"])
    assert told["processor"]
