"""Benches as modules of this process: to start Python and import torch takes longer than most of them.

That each is a command, too, is `test_commands`.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pipeline.command.cli import main

if TYPE_CHECKING:
    from collections.abc import Sequence

BENCH = Path(__file__).parents[2] / "bench"


class MistakeTold(Protocol):
    """Has a bench find a mistake in its command line; returns the lines that it says on stderr."""

    def __call__(self, bench: str, *arguments: str) -> list[str]: ...


class Measured(Protocol):
    """Has a bench measure, which must end well; returns what it prints as JSON."""

    def __call__(self, bench: str, *arguments: str) -> dict[str, Any]: ...


@pytest.fixture(autouse=True)
def bench_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


@pytest.fixture
def mistake_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> MistakeTold:
    def mistake_told(bench: str, *arguments: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [f"{bench}.py", *arguments])
        assert import_module(bench).main() == 2
        printed, told = capsys.readouterr()
        assert printed == ""
        return told.splitlines()

    return mistake_told


@pytest.fixture
def commands_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what `parts.workshop` trains and plays run in this process: most of a dozen would wait for torch."""
    entrants = import_module("parts.entrants")

    def run_here(words: Sequence[str], runs: Path) -> str:
        script, *arguments = words
        assert script == "run.py"
        printed, told = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
            assert main([entrants.in_folder(word, runs) for word in arguments]) == 0, told.getvalue()
        return printed.getvalue()

    monkeypatch.setattr(import_module("parts.workshop"), "run_command", run_here)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what `parts.rows.measure_afresh` measures in a process of its own measured in this one, by the same code."""
    methods, rows = import_module("parts.methods"), import_module("parts.rows")

    def measure_here(job: Any) -> Any:
        with monkeypatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
            patch.setattr(sys, "argv", ["measure.py", json.dumps(asdict(job))])
            assert methods.main() == 0
        return rows.Row.of_json(json.loads(printed.getvalue()))

    for bench in ("compare", "throughput"):
        monkeypatch.setattr(import_module(bench), "measure_afresh", measure_here)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Measured:
    def measured(bench: str, *arguments: str) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", [f"{bench}.py", *arguments, "--json"])
        assert not import_module(bench).main()  # 0, or None
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return measured
