"""A built-in attacker in Python beside the compiled one, and files with attackers in them."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DECOY_HEAVY = np.arange(spec.DECOY, spec.RESTORE)
RESTORES = np.arange(spec.RESTORE, spec.NUM_ACTIONS)


def actions_of(seed: int) -> list[int]:
    """Return Blue's actions of an episode: any, many decoys, many restores, or none."""
    rng = np.random.default_rng(seed)
    pools = (np.arange(spec.NUM_ACTIONS), DECOY_HEAVY, RESTORES, np.zeros(1, dtype=np.int64))
    often, any_action = pools[seed % len(pools)], np.arange(spec.NUM_ACTIONS)
    return [int(rng.choice(often if rng.random() < 0.6 else any_action)) for _ in range(spec.EPISODE_STEPS)]


def play_the_same_games(name: str, reference: str) -> None:
    """Compare a compiled agent and an attacker game by game, generator words included."""
    for profile in ("head", "leaderboard"):
        compiled, own = FastEnv(name, profile), FastEnv(reference, profile)
        for seed in (*range(12), 3082):  # 3082: Red lists its addresses in another order
            for env in (compiled, own):
                env.reset(seed)
            for action in actions_of(seed) if seed < 12 else [0] * 40:
                expected, seen = compiled.step(action), own.step(action)
                assert np.array_equal(expected[0], seen[0])
                assert (expected[1], compiled.red_hosts()) == (seen[1], own.red_hosts())
                assert compiled.batch.generator_state(0) == own.batch.generator_state(0)
                for field in ("red_action", "red_target", "red_success", "known_names", "port_memory"):
                    assert np.array_equal(compiled.batch.games[field], own.batch.games[field])


@pytest.fixture
def same_games() -> Callable[[str, str], None]:
    return play_the_same_games


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    """Return what writes a file of attackers, and returns the reference of one in it."""

    def written(source: str, name: str = "Mine", file: str = "red.py") -> str:
        path = tmp_path / file
        path.write_text(textwrap.dedent(source))
        return f"{path}:{name}"

    return written
