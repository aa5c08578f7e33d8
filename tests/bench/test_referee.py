from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

COMMAND = Path(__file__).parents[2] / "bench" / "referee.py"


def test_the_referee_takes_less_than_it_may(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [COMMAND.name, "--turns", "1", "--episodes", "20"])
    runpy.run_path(str(COMMAND), run_name="__main__")
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("difference: ")
    assert float(last.split()[1]) < 30
