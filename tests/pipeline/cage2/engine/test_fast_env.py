from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from pipeline.cage2.env import Cage2Env


def test_it_is_an_environment() -> None:
    env: Cage2Env = FastEnv("B_lineAgent")
    observation = env.reset(0)
    assert observation.dtype == np.int8
    assert observation.tolist() == [0] * spec.OBSERVATION_SIZE
    observation, reward = env.step(0)
    assert observation.shape == (spec.OBSERVATION_SIZE,)
    assert observation.dtype == np.int8
    assert type(reward) is int
    assert type(env.red_hosts()) is int


def test_an_observation_is_the_callers_own() -> None:
    env = FastEnv("B_lineAgent")
    env.reset(0)
    env.step(0)
    scan, _ = env.step(0)
    kept = scan.copy()
    env.step(0)
    assert scan.any()
    assert np.array_equal(scan, kept)


@pytest.mark.parametrize("action", [-1, 145])
def test_other_actions_are_refused(action: int) -> None:
    env = FastEnv("B_lineAgent")
    env.reset(0)
    with pytest.raises(ValueError, match="0 to 144"):
        env.step(action)
