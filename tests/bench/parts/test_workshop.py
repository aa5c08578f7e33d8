from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def test_a_command_is_a_process_and_one_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    workshop = import_module("parts.workshop")
    done = workshop.run_command(("run.py", "evaluate", "sleep", "--episodes=1", "--steps=1", "--json"), tmp_path)
    assert json.loads(done)["agent"]["name"] == "sleep"
    with pytest.raises(workshop.CommandFailedError) as failed:
        workshop.run_command(("run.py", "evaluate", "RUNS/none", "--json"), tmp_path)
    assert str(failed.value).startswith("python run.py evaluate RUNS/none --json failed:\nerror: ")
