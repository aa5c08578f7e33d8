from __future__ import annotations

import numpy as np
import pytest

from pipeline.ppo.batch import Batch
from pipeline.ppo.samples import Samples

NUM_EPISODES, NUM_STEPS, NUM_BITS = 3, 5, 4


def played() -> Batch:
    rng = np.random.default_rng(0)
    batch = Batch(NUM_EPISODES, NUM_STEPS, NUM_BITS)
    for row in range(NUM_EPISODES):
        record = {
            "observation": rng.integers(0, 2, (NUM_STEPS + 1, NUM_BITS)).astype(np.int8),
            "action": rng.integers(0, 145, NUM_STEPS).astype(np.uint8),
            "log_prob": rng.normal(-5, 1, NUM_STEPS).astype(np.float32),
            "reward_tenths": rng.integers(-20, 1, NUM_STEPS).astype(np.int16),
            "fix": rng.integers(0, 3, NUM_STEPS).astype(np.int8),
        }
        batch.put(row, record, workflow_id=(7, 103, 7)[row])
    return batch


def test_steps_lie_episode_by_episode_and_refer_to_what_they_saw() -> None:
    batch = played()
    samples = Samples.of(batch)

    assert len(samples) == NUM_EPISODES * NUM_STEPS
    assert np.array_equal(samples.inputs.observation[samples.row], batch.observation[:, :-1].reshape(-1, NUM_BITS))
    assert np.array_equal(samples.inputs.workflow_id[samples.row], np.repeat([7, 103, 7], NUM_STEPS))
    assert np.array_equal(samples.action, batch.action.ravel())
    assert np.array_equal(samples.log_prob_behavior, batch.log_prob.ravel())
    assert samples.row.dtype == np.int64
    assert samples.row.flags.c_contiguous


def test_what_the_update_writes_is_zero_before() -> None:
    samples = Samples.of(played())
    written = (samples.log_prob_old, samples.importance, samples.advantage, samples.target)
    for values in written:
        assert values.dtype == np.float32
        assert values.tolist() == [0.0] * len(samples)
    assert not any(np.shares_memory(one, other) for one in written for other in written if one is not other)


def test_an_episode_that_was_not_written_to_its_end_is_refused() -> None:
    batch = played()
    batch.observation[1, NUM_STEPS] = -1
    with pytest.raises(ValueError, match="was its episode written to the end"):
        Samples.of(batch)
