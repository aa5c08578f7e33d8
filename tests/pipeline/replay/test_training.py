from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.replay.errors import ReplayError
from pipeline.replay.training import training_index

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "Workflow_ID,Workflow_Order,Update,Episodes\n"


def log(folder: Path, *rows: tuple[int, int, int]) -> Path:
    lines = [f"{workflow_id},x -> y,{update},{episodes}\n" for workflow_id, update, episodes in rows]
    (folder / "training_log.csv").write_text(HEAD + "".join(lines))
    return folder


def test_batches_follow_one_another_by_order(tmp_path: Path) -> None:
    """Those of other orders stand between, and a visit's last batch may be smaller."""
    run = log(tmp_path, (3, 0, 32), (7, 0, 32), (3, 1, 20), (3, 2, 32))
    assert [training_index(run, 3, update, row) for update, row in ((0, 0), (0, 31), (1, 0), (2, 5))] == [0, 31, 32, 57]
    assert training_index(run, 7, 0, 4) == 4


def test_of_a_policy_that_was_begun_anew_the_latest_training_counts(tmp_path: Path) -> None:
    run = log(tmp_path, (3, 0, 32), (3, 1, 32), (3, 0, 64))
    assert training_index(run, 3, 0, 63) == 63


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"can't read .*training_log.csv: No such file"):
        training_index(tmp_path, 3, 0, 0)
    run = log(tmp_path, (3, 0, 32))
    with pytest.raises(ReplayError, match="has no update 1 of the order that is played"):
        training_index(run, 3, 1, 0)
    with pytest.raises(ReplayError, match="update 0 learned from 32 episodes: its rows are 0 to 31"):
        training_index(run, 3, 0, 32)
    with pytest.raises(ReplayError, match="one policy for all orders"):
        training_index(log(tmp_path, (120, 0, 32)), 3, 0, 0)
    (tmp_path / "training_log.csv").write_text(HEAD + "3,x,zero,1\n")
    with pytest.raises(ReplayError, match="is damaged, or of another version"):
        training_index(tmp_path, 3, 0, 0)
