from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gymnasium

from pipeline.cage2.gym.registration import ENV_ID, register


def test_registering_twice_does_no_harm() -> None:
    register()
    assert gymnasium.spec(ENV_ID).max_episode_steps is None  # max_steps is the environment's own


def run(program: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_the_module_can_be_named_with_the_environment() -> None:
    run("import gymnasium; gymnasium.make('pipeline.cage2.gym.registration:Cage2-v0').reset(seed=0)")


def test_workers_load_no_gymnasium_and_gymnasium_no_game() -> None:
    run("import sys, pipeline.cage2.engine.fast_env, pipeline.cage2.cyborg.env; assert 'gymnasium' not in sys.modules")
    run(
        "import sys, pipeline.cage2.gym.registration;"
        "assert not {'numba', 'csle_cyborg', 'pipeline.cage2.gym.games', 'torch'} & set(sys.modules)"
    )


STARTUP = Path(__file__).parents[4] / "startup"
AT_THE_START = f"import site; site.addsitedir({str(STARTUP)!r});"


def test_nothing_has_to_be_imported() -> None:
    """What the wheel installs beside the packages; `addsitedir` does what Python does with it at its start."""
    run(AT_THE_START + "import gymnasium; gymnasium.make('Cage2-v0'); gymnasium.make_vec('Cage2-v0', 2)")
    run(AT_THE_START + "import gymnasium.envs.registration as r; assert 'Cage2-v0' in r.registry")


def test_the_start_of_python_stays_light() -> None:
    run(
        "import sys; before = set(sys.modules);"
        + AT_THE_START
        + "added = set(sys.modules) - before - {'site'};"
        + "assert not {name for name in added if name.startswith(('pipeline', 'gymnasium', 'numpy'))}, added"
    )


def test_gymnasium_stays_usable_whatever_happens() -> None:
    broken = "import sys; sys.modules['pipeline.cage2.gym.registration'] = None;"
    program = broken + AT_THE_START + "import gymnasium; gymnasium.make('CartPole-v1')"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "Cage2-v0 could not be registered" in result.stderr
