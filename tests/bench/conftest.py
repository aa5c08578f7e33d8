"""Benches as they are started, `python bench/x.py`, and, which is quicker, as modules of this process."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import pytest

BENCH = Path(__file__).parents[2] / "bench"


class RunBench(Protocol):
    """Starts a bench and waits for its end."""

    def __call__(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]: ...


class MistakeTold(Protocol):
    """Has a bench find a mistake in its command line; returns the lines that it says on stderr."""

    def __call__(self, bench: str, *arguments: str) -> list[str]: ...


class Rows(Protocol):
    """Starts a bench, which must end well; returns the rows that it prints as JSON."""

    def __call__(self, script: str, *arguments: str) -> list[dict[str, Any]]: ...


@pytest.fixture(autouse=True)
def bench_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


@pytest.fixture(scope="session")
def run_bench() -> RunBench:
    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(BENCH / script), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)

    return run


@pytest.fixture
def mistake_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> MistakeTold:
    def mistake_told(bench: str, *arguments: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", [f"{bench}.py", *arguments])
        assert import_module(bench).main() == 2
        printed, told = capsys.readouterr()
        assert printed == ""
        return told.splitlines()

    return mistake_told


@pytest.fixture(scope="session")
def rows_of(run_bench: RunBench) -> Rows:
    def rows_of(script: str, *arguments: str) -> list[dict[str, Any]]:
        result = run_bench(script, *arguments, "--json")
        assert result.returncode == 0, result.stderr
        return list(json.loads(result.stdout)["rows"])

    return rows_of
