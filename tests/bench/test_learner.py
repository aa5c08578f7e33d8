from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    import pytest


def test_it_measures_what_is_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    learner = import_module("learner")
    monkeypatch.setattr(torch, "set_num_threads", lambda num_threads: None)  # this process goes on with what it has
    monkeypatch.setattr("sys.argv", ["learner.py", "--episodes=2", "--distinct", "7", "--repeats=1"])
    learner.main()
    cells = capsys.readouterr().out.splitlines()[-1].split("|")
    assert cells[1].strip() == "7 of 200"
    assert all(float(cell.removesuffix("ms ")) > 0 for cell in cells[3:8])
