"""The example that asks a language model, with its stub, and with a function of one's own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.command.cli import main

if TYPE_CHECKING:
    import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "llm_agent.py"
TABLE = "| 10.0.0.0/28 | 10.0.0.3 | User1 | None | User |"


class View:
    def blue_table(self) -> str:
        return TABLE


def example() -> Any:
    spec = importlib.util.spec_from_file_location("llm_agent", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_last_action_of_an_answer_counts() -> None:
    module, asked = example(), []
    agent = module.Agent()
    agent.begin(100)
    assert agent.act(None, View()) == 141
    for answer, action in (("Sleep? No: Remove User1.", 24), ("Restore Nobody", 0), ("", 0), ("so, Analyse User2", 12)):
        agent.ask = lambda prompt, answer=answer: asked.append(prompt) or answer
        assert agent.act(None, View()) == action
    assert all(TABLE in prompt for prompt in asked)
    assert "Your last action was Restore User1; 99 steps are left" in asked[0]


def test_any_function_of_text_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_model.py").write_text("def answer(prompt):\n    assert ' User4 ' in prompt\n    return 'Monitor'")
    monkeypatch.chdir(tmp_path)
    few = ("--episodes", "1", "--steps", "10", "--red-agents", "B_lineAgent", "--json")
    assert main(("evaluate", f"{EXAMPLE}:Agent", *few, "--agent-arg", "ask=my_model:answer")) == 0
    assert json.loads(capsys.readouterr().out)["scenarios"][0]["actions"] == {"Monitor": 10.0}
