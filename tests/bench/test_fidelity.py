"""What the comparison finds is tested in tests/fidelity."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def test_it_compares_what_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    fidelity = import_module("fidelity")
    assert fidelity.main(["--episodes=2", "--red=B_lineAgent", "--policy=reactive", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["mismatches"] == 0
    assert report["steps"] > 0
    rows = [(row["red_agent"], row["policy"], row["episodes"]) for row in report["rows"]]
    assert rows == [("B_lineAgent", "reactive", 2)]
