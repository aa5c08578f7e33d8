from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.filling import BatchPlan, Filling
from pipeline.learn.evaluation import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt


class Rows(Tally):
    """Rows that know whose workflow each is."""

    def __init__(self, num_episodes: int) -> None:
        super().__init__(num_episodes)
        self.workflow_ids: dict[int, int] = {}

    def put(self, row: int, record: Mapping[str, npt.NDArray[Any]], workflow_id: int) -> None:
        super().put(row, record, workflow_id)
        self.workflow_ids[row] = workflow_id


def record(tenths: int) -> dict[str, Any]:
    return {"reward_tenths": np.array([tenths, -1], np.int16), "fix": np.array([2, 1], np.int8)}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_a_batch_is_full_once_every_row_is_put_in_whatever_order(order: tuple[int, ...]) -> None:
    dropped: list[bool] = []
    plan = BatchPlan((5, 119, 5), first_episode=7, weight_version=3)
    filling = Filling(plan, Rows(3), 4, lambda: dropped.append(True))
    assert (filling.plan.num_episodes, filling.batch_index) == (3, 4)
    for row in order:
        assert not filling.full.is_set()
        assert (dropped, filling.full_s) == ([], 0)
        filling.put(row, record(-10 * row))
    assert filling.full.is_set()
    assert filling.full_s >= filling.opened_s > 0
    assert dropped  # nobody is asked for what is there
    assert filling.rows.returns_tenths.tolist() == [-1, -11, -21]
    assert filling.rows.workflow_ids == {0: 5, 1: 119, 2: 5}


def test_one_that_is_closed_never_gets_full() -> None:
    dropped: list[bool] = []
    filling = Filling(BatchPlan((1, 1), 0, 0), Rows(2), 0, lambda: dropped.append(True))
    filling.put(1, record(-3))
    assert not dropped
    filling.close()
    assert dropped
    assert not filling.full.is_set()
    assert filling.rows.num_filled == 1


def test_what_is_played_is_training_and_sampled_unless_it_is_said_otherwise() -> None:
    plan = BatchPlan((0,), 0, 0)
    assert (plan.evaluation, plan.greedy) == (False, False)
