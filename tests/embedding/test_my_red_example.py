"""The example of an attacker, run as it is: it does harm, and the same on either engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.spec import EPISODE_STEPS, SLEEP

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_red.py"
MINE = f"{EXAMPLE}:Mine"


def undisturbed(env: FastEnv | CyborgEnv, seed: int) -> float:
    """Return what an episode costs in which Blue does nothing."""
    env.reset(seed)
    return sum(env.step(SLEEP)[1] for _ in range(EPISODE_STEPS)) / 10


def test_it_gets_to_the_ot_service() -> None:
    env = FastEnv(MINE)
    assert all(-1300 < undisturbed(env, seed) < -500 for seed in range(20))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_same_on_cyborg(seed: int) -> None:
    assert undisturbed(CyborgEnv(MINE), seed) == undisturbed(FastEnv(MINE), seed)


def test_it_is_short() -> None:
    code = [line for line in EXAMPLE.read_text().split('"""', 2)[2].splitlines() if line.strip()]
    assert len(code) <= 40
