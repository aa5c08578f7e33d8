from __future__ import annotations

import subprocess
import sys

import gymnasium

from pipeline.cage2.gym_registration import ENV_ID, register


def test_registering_twice_does_no_harm() -> None:
    register()
    assert gymnasium.spec(ENV_ID).max_episode_steps is None  # max_steps is the environment's own


def run(program: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_the_module_can_be_named_with_the_environment() -> None:
    run("import gymnasium; gymnasium.make('pipeline.cage2.gym_registration:Cage2-v0').reset(seed=0)")


def test_workers_load_no_gymnasium_and_gymnasium_no_game() -> None:
    run("import sys, pipeline.cage2.engine.fast_env, pipeline.cage2.cyborg_env; assert 'gymnasium' not in sys.modules")
    run(
        "import sys, pipeline.cage2.gym_registration;"
        "assert not {'numba', 'csle_cyborg', 'pipeline.cage2.games', 'torch'} & set(sys.modules)"
    )
