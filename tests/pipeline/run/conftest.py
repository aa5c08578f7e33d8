"""A small run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pipeline import Config

if TYPE_CHECKING:
    from pathlib import Path

RUN: dict[str, Any] = {
    "total_episodes": 40,
    "max_episodes_per_workflow": 24,
    "episodes_per_update": 8,
    "workers": 2,
    "finals_share": 0,
}


class MakeConfig(Protocol):
    def __call__(self, **changes: Any) -> Config: ...


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """Return what configures a run of two visits and five updates, in the test's folder."""
    return lambda **changes: Config(**{**RUN, "log_dir": tmp_path, "run_name": "run", **changes})
