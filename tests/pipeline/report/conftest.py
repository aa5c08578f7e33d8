"""A small run that was trained, and what a report tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.report.facts import Facts, gather

if TYPE_CHECKING:
    from pathlib import Path

NUM_EPISODES = 20


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of some visits and finals."""
    folder = tmp_path_factory.mktemp("logs")
    options = {
        "collector": "sequential",
        "total-episodes": 96,
        "episodes-per-update": 16,
        "episodes-per-visit": 16,
        "evaluation-episodes": 4,
        "compliance-threshold": 0.5,
        "concurrent-visits": 1,
        "seed": 3,
        "log-dir": folder,
        "run-name": "small",
    }
    assert main(["--quiet", *(f"--{name}={value}" for name, value in options.items())]) == 0
    return folder / "small"


@pytest.fixture(scope="session")
def facts(trained_run: Path) -> Facts:
    return gather(trained_run, NUM_EPISODES)
