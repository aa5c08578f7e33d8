"""The example of an agent of one's own, measured as it is, for a few episodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.command.cli import main

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_agent.py"


def mean(capsys: pytest.CaptureFixture[str], agent: str, *options: str) -> float:
    few = ("--episodes", "5", "--steps", "100", "--red-agents", "B_lineAgent", "--json")
    assert main(("evaluate", agent, *few, *options)) == 0
    value: float = json.loads(capsys.readouterr().out)["scenarios"][0]["mean"]
    return value


def test_it_is_measured_and_its_decoys_help(capsys: pytest.CaptureFixture[str]) -> None:
    with_decoys = mean(capsys, f"{EXAMPLE}:Agent")
    without = mean(capsys, f"{EXAMPLE}:Agent", "--agent-arg", "use_decoys=no")
    assert mean(capsys, "sleep") < without < with_decoys < 0


def test_it_is_short() -> None:
    code = [line for line in EXAMPLE.read_text().split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 40
