from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from native_buffers.weights import WeightBoard
from pipeline.cage2.facts.compliance import episode_compliance
from pipeline.filling import Filling
from pipeline.learn.evaluation import EvaluationStatistics, Evaluator, Tally
from pipeline.ppo.batch import RowFilledError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.filling import BatchPlan

TIMEOUT_S = 30
T = 4


def record(seed: int) -> dict[str, Any]:
    """An episode that is made up."""
    rng = np.random.default_rng(seed)
    return {
        "reward_tenths": rng.integers(-140, 1, T).astype(np.int16),
        "fix": rng.integers(0, 3, T).astype(np.int8),
    }


class Players:
    """The collecting side: plays every episode that is asked for, on the loop, the last one first."""

    def __init__(self, board: WeightBoard) -> None:
        self.plans: list[BatchPlan] = []
        self.closed: set[int] = set()
        self.evaluator = Evaluator(board.publish, self.open)
        self.idle = False

    def open(self, plan: BatchPlan, rows: Tally) -> Filling[Tally]:
        index = len(self.plans)
        self.plans.append(plan)
        filling = Filling(plan, rows, index, lambda: self.closed.add(index))
        if not self.idle:
            asyncio.get_running_loop().call_soon(self._play, filling)
        return filling

    def _play(self, filling: Filling[Tally]) -> None:
        for row in reversed(range(filling.plan.num_episodes)):
            filling.put(row, record(seed_of(filling.plan, row)))


def seed_of(plan: BatchPlan, row: int) -> int:
    return 2 * (plan.workflow_ids[row] + 120 * row) + plan.greedy


@pytest.fixture
def players() -> Iterator[Players]:
    with WeightBoard.create(2, 3) as board:
        yield Players(board)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6), st.data())
def test_a_tally_says_what_its_episodes_were_like(seeds: list[int], data: st.DataObject) -> None:
    tally = Tally(len(seeds))
    for num_put, row in enumerate(data.draw(st.permutations(range(len(seeds))))):
        assert (tally.num_filled, tally.full) == (num_put, False)
        tally.put(row, record(seeds[row]), 0)
    assert tally.full
    returns = np.array([record(seed)["reward_tenths"].sum() / 10 for seed in seeds])
    begin = data.draw(st.integers(0, len(seeds) - 1))
    end = data.draw(st.integers(begin + 1, len(seeds)))
    estimate, compliance = tally.mean(slice(begin, end))
    part = returns[begin:end]
    # tenths are summed as integers here, as floats there: 52 bits of each are the same but for rounding
    assert estimate.mean == pytest.approx(part.mean(), rel=1e-12)
    stderr = part.std(ddof=1) / len(part) ** 0.5 if len(part) > 1 else 0.0
    assert estimate.stderr == pytest.approx(stderr, rel=1e-9, abs=1e-9)
    compliances = [float(episode_compliance(record(seed)["fix"])) for seed in seeds[begin:end]]
    assert compliance == pytest.approx(np.mean(compliances), rel=1e-12)


def test_no_row_is_counted_twice() -> None:
    tally = Tally(2)
    tally.put(1, record(0), 0)
    with pytest.raises(RowFilledError):
        tally.put(1, record(0), 0)
    assert tally.num_filled == 1


async def test_every_order_is_played_as_often_as_asked(players: Players) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        scores = await players.evaluator.evaluate(
            np.array([1.0, 2.0], np.float32),
            (7, 119, 0),
            num_episodes=5,
            evaluation_index=2,
            greedy_too=True,
        )
    assert [plan.greedy for plan in players.plans] == [False, True]
    for plan in players.plans:
        assert plan.workflow_ids == (7,) * 5 + (119,) * 5 + (0,) * 5
        assert plan.evaluation
        for i, score in enumerate(scores):
            alone = Tally(5)
            for row in range(5):
                alone.put(row, record(seed_of(plan, 5 * i + row)), 0)
            sampled, greedy = (score.env_reward, score.compliance), (score.greedy_env_reward, score.greedy_compliance)
            assert (greedy if plan.greedy else sampled) == alone.mean(slice(0, 5))
            assert score.num_evaluated == 5
            assert sampled != greedy
    assert players.closed == {0, 1}
    statistics = players.evaluator.statistics()
    assert statistics.num_episodes == 2 * 3 * 5
    assert statistics.wait_s > 0


async def test_no_two_evaluations_share_an_episode(players: Players) -> None:
    """120 orders of 8,000 episodes are the most that the configuration allows."""
    for index in range(3):
        (score,) = await players.evaluator.evaluate(
            np.zeros(2, np.float32), (1,), num_episodes=2, evaluation_index=index, greedy_too=False
        )
        assert score.greedy_env_reward is score.greedy_compliance is None
    first = [plan.first_episode for plan in players.plans]
    assert first[0] == 0
    assert min(np.diff(first)) >= 120 * 8_000


async def test_a_cancelled_evaluation_leaves_nothing_open(players: Players) -> None:
    players.idle = True
    task = asyncio.create_task(
        players.evaluator.evaluate(np.zeros(2, np.float32), (1,), num_episodes=2, evaluation_index=0, greedy_too=False)
    )
    await asyncio.sleep(0)
    assert players.closed == set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert players.closed == {0}
    assert players.evaluator.statistics() == EvaluationStatistics(0, 0.0)  # what is not over doesn't count
