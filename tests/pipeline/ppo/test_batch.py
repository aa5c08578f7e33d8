from __future__ import annotations

import numpy as np
import pytest

from pipeline.cage2.facts.spec import OBSERVATION_SIZE
from pipeline.ppo.batch import Batch, BatchNotFullError, RowFilledError

T = 6


def record(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "observation": rng.integers(0, 2, (T + 1, OBSERVATION_SIZE)).astype(np.int8),
        "action": rng.integers(0, 145, T).astype(np.uint8),
        "log_prob": rng.normal(-5, 1, T).astype(np.float32),
        "reward_tenths": rng.integers(-130, 1, T).astype(np.int16),
        "fix": rng.integers(0, 3, T).astype(np.int8),
    }


def test_rows_are_copied_in_whatever_order_they_come() -> None:
    batch = Batch(3, T)
    for num_filled, row in enumerate((2, 0, 1)):
        assert (batch.num_filled, batch.full) == (num_filled, False)
        source = record(row)
        batch.put(row, source, 3 + row)
        for field in source.values():
            field[...] = 0
    assert batch.full
    assert batch.workflow_id.tolist() == [3, 4, 5]
    for row in range(3):
        for name, expected in record(row).items():
            assert np.array_equal(getattr(batch, name)[row], expected)


def test_a_row_is_put_once_until_the_batch_is_cleared() -> None:
    batch = Batch(1, T)
    batch.put(0, record(0), 7)
    with pytest.raises(RowFilledError, match="row 0"):
        batch.put(0, record(1), 7)
    batch.clear()
    assert (batch.num_filled, batch.full) == (0, False)
    batch.put(0, record(1), 7)

    assert np.array_equal(batch.action[0], record(1)["action"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"observation": np.zeros((T, OBSERVATION_SIZE), np.int8)},
        {"reward_tenths": np.zeros(T, np.int64)},
        {"log_prob": np.zeros(T, np.float64)},
        {"action": np.zeros((), np.uint8)},
    ],
)
def test_another_shape_or_dtype_is_refused(wrong: dict[str, np.ndarray]) -> None:
    batch = Batch(1, T)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        batch.put(0, record(0) | wrong, 7)
    assert not batch.full


def test_what_is_missing_is_not_counted() -> None:
    batch = Batch(2, T)
    batch.put(1, record(0), 7)
    with pytest.raises(BatchNotFullError, match="1 of the batch's 2"):
        batch.statistics(30.0)
    with pytest.raises(BatchNotFullError):
        batch.rewards(30.0)


def test_statistics() -> None:
    batch = Batch(3, 4)
    rewards = [[-1, -2, -3, -4], [0, 0, 0, -40], [-10, -10, -10, -10]]  # returns -1, -4, -4 points
    fixes = [[0, 2, 0, 1], [0, 0, 0, 0], [2, 0, 0, 0]]  # compliance 0.5, 0.5 (no fix), 1
    for row in range(3):
        batch.put(
            row,
            {
                "observation": np.zeros((5, OBSERVATION_SIZE), np.int8),
                "action": np.zeros(4, np.uint8),
                "log_prob": np.zeros(4, np.float32),
                "reward_tenths": np.array(rewards[row], np.int16),
                "fix": np.array(fixes[row], np.int8),
            },
            7,
        )
    statistics = batch.statistics(30.0)

    assert statistics.num_episodes == 3
    assert statistics.env_reward.mean == pytest.approx(-3.0)
    assert statistics.env_reward.stderr == pytest.approx(np.std([-1, -4, -4], ddof=1) / 3**0.5)
    assert statistics.alignment_bonus == pytest.approx((15 - 6 + 30) / 3)
    assert statistics.total_reward == pytest.approx(-3.0 + 13.0)
    assert statistics.compliance == pytest.approx(2 / 3)
    assert statistics.avg_fixes == pytest.approx(1.0)
    assert batch.rewards(30.0).sum() == pytest.approx(3 * statistics.total_reward)
    assert batch.rewards(30.0)[0] == pytest.approx([-0.1, 30 - 0.2, -0.3, -15 - 0.4])
    assert batch.rewards(0.0) == pytest.approx(np.array(rewards) / 10)


def test_a_single_episode_has_no_standard_error() -> None:
    batch = Batch(1, T)
    batch.put(0, record(0), 7)

    assert batch.statistics(30.0).env_reward.stderr == 0.0
