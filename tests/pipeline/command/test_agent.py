from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.command import agent as agents
from pipeline.command.options import UsageError

if TYPE_CHECKING:
    from pipeline.defenders.reference import AgentReference


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text("class Agent: ...")
    Path("run").mkdir()
    Path("run/config.json").write_text("{}")
    Path("run/agent.py").write_text("")
    return tmp_path


def reference(line: str, engine: str = "fast") -> AgentReference | None:
    parser = ArgumentParser()
    agents.set_up(parser)
    return agents.reference_of(parser.parse_args(line.split()), engine)


def test_an_agent_of_ones_own_comes_with_its_options(folder: Path) -> None:
    line = "my.py:Agent --agent-arg a=1 --agent-arg b=x=y --agent-arg c= --observation memory --step-timeout 2.5"
    asked = reference(line)
    assert asked is not None
    assert (asked.name, asked.target) == ("my.py:Agent", f"{folder}/my.py:Agent")
    assert asked.arguments == (("a", "1"), ("b", "x=y"), ("c", ""))
    assert (asked.observation, asked.step_timeout_s, asked.greedy) == ("memory", 2.5, False)
    usual = reference("my.py:Agent --greedy")
    assert usual is not None
    assert (usual.observation, usual.step_timeout_s, usual.greedy) == ("stock", 60.0, True)
    assert reference("my.py:Agent --observation raw", "cyborg") is not None


@pytest.mark.parametrize("line", ["random", "run", "./run", "run --greedy"])
def test_runs_and_built_ins_are_none(line: str) -> None:
    assert reference(line) is None


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "nowhere",
            "there is no run 'nowhere': give one like logs/tuesday, or random, sleep, .*, Random, or FILE.py:NAME",
        ),
        ("randon", r"there is no run 'randon': did you mean random\?"),
        (
            "random --observation table",
            "--observation is for agents of your own: leave it out, random has no use for it",
        ),
        ("random --agent-arg a=1", "--agent-arg is for agents of your own"),
        ("run --step-timeout 3", "--step-timeout is for agents of your own: .* a run's policy sees what"),
        ("sleep --greedy", "--greedy is for policies: leave it out"),
        ("my.py:Agent --workflow x", "--workflow is for policies: leave it out, my.py:Agent follows none"),
        ("my.py:Agent --observation all", "--observation 'all': choose of stock, corrected, memory, table, raw"),
        ("my.py:Agent --observation raw", "--observation raw is what CybORG itself gives: add --engine cyborg"),
        ("my.py:Agent --agent-arg a", "--agent-arg 'a': must be KEY=VALUE"),
        ("my.py:Agent --agent-arg 1=a", "--agent-arg '1=a': must be KEY=VALUE"),
        ("my.py:Agent --agent-arg a=1 --agent-arg a=2", "--agent-arg a: give each once"),
        ("my.py:Agent --step-timeout 0", "--step-timeout '0': must be a number of seconds above 0"),
        ("my.py:Agent --step-timeout inf", "--step-timeout 'inf': must be"),
        ("my.py:Agent --step-timeout soon", "--step-timeout 'soon': must be"),
    ],
)
def test_mistakes(line: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        reference(line)
