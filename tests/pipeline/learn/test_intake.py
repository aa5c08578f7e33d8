from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from native_buffers.weights import WeightBoard
from pipeline.learn.evaluation import Tally
from pipeline.learn.intake import Intake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.types import BatchPlan


class Requests:
    def __init__(self) -> None:
        self.open_plans: dict[int, BatchPlan] = {}

    def open(self, plan: BatchPlan) -> None:
        self.open_plans[plan.batch_index] = plan

    def close(self, batch_index: int) -> None:
        self.open_plans.pop(batch_index, None)


def record(tenths: int) -> dict[str, Any]:
    return {"reward_tenths": np.array([tenths, -1], np.int16), "fix": np.array([2, 1], np.int8)}


@pytest.fixture
def board() -> Iterator[WeightBoard]:
    with WeightBoard.create(3, 4) as board:
        yield board


def test_weights_are_published_as_versions(board: WeightBoard) -> None:
    intake = Intake(board, Requests())
    weights = np.arange(3, dtype=np.float32)
    assert [intake.publish(weights), intake.publish(weights + 1)] == [0, 1]
    assert board.read(1).tolist() == [1, 2, 3]


def test_episodes_come_in_row_by_row(board: WeightBoard) -> None:
    requests = Requests()
    intake = Intake(board, requests)
    first = intake.open(Tally(2), (5, 119), first_episode=7, weight_version=3, evaluation=True, greedy=True)
    second = intake.open(Tally(1), (0,), first_episode=0, weight_version=3)
    assert (first.plan.batch_index, second.plan.batch_index) == (0, 1)
    assert first.plan.workflow_ids == (5, 119)
    assert first.plan.num_episodes == 2
    assert (first.plan.first_episode, first.plan.weight_version) == (7, 3)
    assert (first.plan.evaluation, first.plan.greedy) == (True, True)
    assert (second.plan.evaluation, second.plan.greedy) == (False, False)
    assert requests.open_plans == {0: first.plan, 1: second.plan}

    intake.take(first.plan, 1, record(-20))
    assert not first.full.is_set()
    assert set(requests.open_plans) == {0, 1}
    intake.take(first.plan, 0, record(-30))
    assert first.full.is_set()
    assert first.full_s >= first.opened_s
    assert set(requests.open_plans) == {1}  # nobody is asked for what is there
    assert first.rows.returns_tenths.tolist() == [-31, -21]


def test_only_training_counts_as_filling(board: WeightBoard) -> None:
    intake = Intake(board, Requests())
    assert intake.filling() is None
    intake.open(Tally(2), (1, 1), first_episode=0, weight_version=0, evaluation=True)
    assert intake.filling() is None
    training = intake.open(Tally(2), (1, 1), first_episode=0, weight_version=0)
    intake.take(training.plan, 0, record(-1))
    assert intake.filling() == (1, 1, 2)
    intake.take(training.plan, 1, record(-1))
    assert intake.filling() is None


def test_what_is_forgotten_is_not_asked_for_any_more(board: WeightBoard) -> None:
    requests = Requests()
    intake = Intake(board, requests)
    filling = intake.open(Tally(2), (1, 1), first_episode=0, weight_version=0)
    intake.forget(filling)
    assert requests.open_plans == {}
    assert intake.filling() is None
    with pytest.raises(KeyError):
        intake.take(filling.plan, 0, record(-1))
