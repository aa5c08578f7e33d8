from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pipeline.cage2.engine.state import GAME
from pipeline.numerics import compiled

ROOT = Path(__file__).parents[3]

PROGRAM = """
import hashlib
import random
from pipeline.cage2.facts import spec
from pipeline.cage2.engine.fast_env import FastEnv

digest = hashlib.sha256()
for red_agent in spec.RED_AGENTS:
    for profile in ("head", "leaderboard"):
        for observation in ("stock", "corrected"):
            rng = random.Random(1)
            env = FastEnv(red_agent, profile, observation)
            env.reset(2**70, is_new=True)
            for _ in range(60):
                seen, reward = env.step(rng.choice((rng.randrange(145), rng.randrange(132, 145))))
                digest.update(seen.tobytes() + b"%d %d" % (reward, env.red_hosts()))
            digest.update(repr(env.batch.generator_state(0)).encode())
print(digest.hexdigest())
"""


def digest_of_games(*, jit: bool) -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": str(int(not jit))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_engine_plays_the_same_games_uncompiled() -> None:
    assert digest_of_games(jit=True) == digest_of_games(jit=False)


def test_the_type_of_a_game_tells_the_sources_that_it_was_compiled_from() -> None:
    assert GAME.names is not None
    assert GAME.names[-1] == f"engine_{compiled.source_digest()}"
    assert len(compiled.source_digest()) == 12
