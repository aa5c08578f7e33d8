from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.defenders.errors import AgentRaisedError, NoSuchAgentError, UnusableAgentError
from pipeline.defenders.module import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AGENT = """
import helper_of_agent

class Agent:
    def __init__(self, depth, name="none"):
        self.got = depth, name, helper_of_agent.VALUE

def make():
    return Agent(1)

def choose(observation):
    return 3

ready = Agent(2)
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loading changes what can be imported, which is a worker's own affair."""
    modules, finders = set(sys.modules), list(sys.meta_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        if name.startswith(("CybORG", "my_agent", "helper_of", "_json", "broken")):
            del sys.modules[name]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., str]:
    """Return what writes an agent's file, and returns its path."""

    def write(text: str = AGENT, name: str = "my_agent.py") -> str:
        (tmp_path / "helper_of_agent.py").write_text("VALUE = 5")
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_a_class_is_made_with_what_the_user_gives(written: Callable[..., str]) -> None:
    agent = load(f"{written()}:Agent", {"depth": "3"})
    assert agent.got == ("3", "none", 5)
    assert load(f"{written()}:Agent", {"depth": "4", "name": "x"}).got == ("4", "x", 5)


def test_agents_are_made_anew(written: Callable[..., str]) -> None:
    path = written()
    first, second = load(f"{path}:make", {}), load(f"{path}:make", {})
    assert first is not second
    assert type(first) is type(second)


def test_functions_and_objects_may_be_agents_themselves(written: Callable[..., str]) -> None:
    path = written()
    assert load(f"{path}:choose", {})(None) == 3
    assert load(f"{path}:ready", {}).got == (2, "none", 5)
    with pytest.raises(UnusableAgentError, match="is an object already, and takes no --agent-arg"):
        load(f"{path}:ready", {"depth": "3"})


@pytest.mark.parametrize(
    ("name", "arguments", "error", "told"),
    [
        ("Agnet", {}, NoSuchAgentError, "there is no Agnet in .*: did you mean Agent?"),
        ("xyz", {}, NoSuchAgentError, r"there is no xyz in .*\.py$"),
        ("Agent", {}, UnusableAgentError, r"Agent is made by Agent\(depth, name='none'\): missing a required argument"),
        ("make", {"deep": "3"}, UnusableAgentError, "unexpected keyword argument 'deep'. Give it .* by --agent-arg"),
    ],
)
def test_what_does_not_fit_is_told(
    name: str, arguments: dict[str, str], error: Any, told: str, written: Callable[..., str]
) -> None:
    with pytest.raises(error, match=told):
        load(f"{written()}:{name}", arguments)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(NoSuchAgentError, match="there is no module no_such_module"):
        load("no_such_module:X", {})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import not_installed_at_all", "No module named 'not_installed_at_all'"),
        ("class X:\n    def __init__(self):\n        raise ValueError('no weights')", "ValueError: no weights"),
        ("import sys\nclass X:\n    def __init__(self):\n        sys.exit(3)", "SystemExit: 3"),
        ("class X(:", "SyntaxError: invalid syntax"),
        ("X = 1 / 0", "ZeroDivisionError"),
    ],
)
def test_its_own_errors_come_with_its_own_traceback(text: str, told: str, written: Callable[..., str]) -> None:
    path = written(text, "broken.py")
    with pytest.raises(AgentRaisedError) as error:
        load(f"{path}:X", {})
    lines = str(error.value).splitlines()
    assert lines[0] == f"{path}:X could not be made:"
    assert told in lines[-1]
    first = next(line for line in lines if line.startswith("  File "))
    assert first.startswith(f'  File "{path}", line ')


def test_an_agent_for_cyborg_finds_what_it_imports(written: Callable[..., str]) -> None:
    text = "from CybORG.Agents import BaseAgent\nclass X(BaseAgent):\n    def get_action(self, o, a): return 0"
    from csle_cyborg.agents import BaseAgent

    assert isinstance(load(f"{written(text)}:X", {}), BaseAgent)
