from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.cage2.facts.spec import NUM_HOSTS, OBSERVATION_SIZE


@pytest.mark.parametrize("spread", ["none", "mild", "heavy"])
def test_synthetic_steps_have_the_mean_that_was_asked_for(spread: Any) -> None:
    from parts.synthetic import SIGMA, step_seconds

    seconds = np.concatenate([step_seconds(seed, 100, 10.0, spread) for seed in range(1000)])
    deviation = np.sqrt(np.expm1(SIGMA[spread] ** 2))  # of a log-normal whose mean is 1
    standard_error = 0.010 * deviation / np.sqrt(len(seconds))
    assert abs(seconds.mean() - 0.010) <= 4 * standard_error + 1e-12
    assert np.median(seconds) == pytest.approx(0.010 * np.exp(-(SIGMA[spread] ** 2) / 2), rel=0.02)


def test_synthetic_episodes_repeat() -> None:
    from parts.synthetic import step_seconds, synthetic_game

    times = [step_seconds(seed, 50, 10.0, "heavy").tolist() for seed in (3, 4, 3)]
    assert times[0] == times[2] != times[1]
    game = synthetic_game(50, 0.001, "heavy")
    seen = []
    for seed in (3, 4, 3):
        env = game.env()
        first = env.reset(seed)
        steps = [env.step(action) for action in range(50)]
        seen.append([first.tolist(), *((observation.tolist(), reward) for observation, reward in steps)])
        observations = np.array([observation for observation, _ in steps])  # [T, 52]
        assert observations.shape == (50, OBSERVATION_SIZE)
        assert len(np.unique(observations, axis=0)) == 8
        assert len({reward for _, reward in steps}) > 1
        assert 0 < env.red_hosts() < 1 << NUM_HOSTS
    assert seen[0] == seen[2] != seen[1]
