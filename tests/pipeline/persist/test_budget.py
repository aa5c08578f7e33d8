from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.config import Config
from pipeline.persist.budget import (
    BudgetLeftError,
    SmallerBudgetError,
    record_budget,
    require_used_up,
    with_budget,
)
from pipeline.persist.checkpoint import Checkpoint, SavedVisit
from pipeline.persist.runs import RunFolder, read_config

if TYPE_CHECKING:
    from pathlib import Path


def checkpoint(total_episodes: int, visit: SavedVisit | None = None) -> Checkpoint:
    return Checkpoint({}, (None, visit), (), total_episodes, 0, {})


def test_a_larger_budget_remembers_those_before() -> None:
    first = Config(total_episodes=100, seed=5)
    second = with_budget(first, 200)
    third = with_budget(second, 300)
    assert (second.total_episodes, second.earlier_budgets) == (200, (100,))
    assert third == first.model_copy(update={"total_episodes": 300, "earlier_budgets": (100, 200)})
    assert with_budget(third, 300) is third


def test_a_smaller_budget_is_refused() -> None:
    with pytest.raises(SmallerBudgetError, match="--total-episodes 99: the run has a budget of 100 episodes, and only"):
        with_budget(Config(total_episodes=100), 99)


def test_a_budget_is_used_up_when_all_is_learned_and_evaluated(tmp_path: Path) -> None:
    require_used_up(checkpoint(100), 100, tmp_path)
    for left in (None, checkpoint(96), checkpoint(100, SavedVisit({}, ()))):
        with pytest.raises(BudgetLeftError, match="of its 100 episodes: it can be given more when"):
            require_used_up(left, 100, tmp_path)


def test_only_budgets_are_written_down(tmp_path: Path) -> None:
    config = Config(log_dir=tmp_path, run_name="run", workers=2, total_episodes=100)
    RunFolder.create(config).close()
    record_budget(tmp_path / "run", with_budget(config.model_copy(update={"workers": 7}), 200))
    assert read_config(tmp_path / "run") == with_budget(config, 200)
