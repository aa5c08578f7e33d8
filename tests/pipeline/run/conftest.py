"""A small run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pipeline import Config
from pipeline.learn.learner import Update
from pipeline.ppo.batch import BatchStatistics
from pipeline.ppo.update import UpdateMetrics
from pipeline.types import Estimate

if TYPE_CHECKING:
    from pathlib import Path

RUN: dict[str, Any] = {
    "total_episodes": 40,
    "max_episodes_per_workflow": 24,
    "episodes_per_update": 8,
    "evaluation_episodes": 4,
    "workers": 2,
    "finals_share": 0,
}


@pytest.fixture
def last_update() -> Update:
    batch = BatchStatistics(64, Estimate(-20.0, 1.5), 29.0, 9.0, 0.97, 12.0)
    return Update(17, 3, batch, UpdateMetrics(0.1, 0.2, 0.3, 0.01, 0.1, 6, 1e-3), collection_s=0.1, update_s=0.2)


class MakeConfig(Protocol):
    def __call__(self, **changes: Any) -> Config: ...


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """Return what configures a run of two visits and five updates, in the test's folder."""
    return lambda **changes: Config(**{**RUN, "log_dir": tmp_path, "run_name": "run", **changes})
