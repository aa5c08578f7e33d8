from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest

from pipeline.defenders.errors import AgentRaisedError, NoSuchAgentError
from pipeline.defenders.module import load
from pipeline.errors import own_traceback
from pipeline.printable import printable

if TYPE_CHECKING:
    from pathlib import Path


def test_a_traceback_begins_outside_this_project() -> None:
    with pytest.raises(TypeError) as error:
        printable(None)  # type: ignore[arg-type]  # ours again, which is told
    lines = own_traceback(error.value).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert __file__ in lines[1]
    assert "pipeline/printable.py" in "".join(lines)


def test_frames_of_this_project_before_it_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "raising_agent.py"
    file.write_text("raise ValueError('here')")
    with pytest.raises(AgentRaisedError) as error:
        load(f"{file}:X", {})
    assert "module.py" not in str(error.value)
    assert f'File "{file}", line 1' in str(error.value)


def test_an_error_without_a_trace_is_told() -> None:
    assert own_traceback(ValueError("x")) == "ValueError: x"


def test_they_travel() -> None:
    for error in (NoSuchAgentError("there is none"), AgentRaisedError("a.py:A", "text")):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301
