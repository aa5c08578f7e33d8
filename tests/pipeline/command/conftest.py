"""Command lines in an empty folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from pipeline.command.cli import main
from pipeline.command.process import USAGE


class Mistake(Protocol):
    def __call__(self, *arguments: str) -> str: ...


@pytest.fixture
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mistake(in_an_empty_folder: None, capsys: pytest.CaptureFixture[str]) -> Mistake:
    """Runs a command line that is a mistake; returns the one line that says so, having checked the rest."""

    def run(*arguments: str) -> str:
        before = sorted(Path().rglob("*"))
        assert main(arguments) == USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err.removesuffix("\n").isprintable()  # so it is one line
        assert sorted(Path().rglob("*")) == before
        return err.removeprefix("error: ").removesuffix("\n")

    return run
