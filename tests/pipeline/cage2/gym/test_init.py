from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.spec import EPISODE_STEPS
from pipeline.cage2.gym import ENV_ID


def run(program: str, cwd: Path | None = None) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, cwd=cwd)


@pytest.mark.parametrize(
    "program",
    [
        "import pipeline.cage2.gym; gymnasium.make('Cage2-v0')",
        "import pipeline.cage2.gym; gymnasium.register_envs(pipeline.cage2.gym); gymnasium.make_vec('Cage2-v0', 2)",
        "gymnasium.make('pipeline.cage2.gym:Cage2-v0')",
        "gymnasium.make_vec('pipeline.cage2.gym:Cage2-v0', 2)",
    ],
)
def test_each_of_gymnasium_s_ways_registers_it(program: str) -> None:
    run(f"import gymnasium; {program}.reset(seed=0)")


def test_episodes_are_gymnasium_s_to_limit() -> None:
    assert gymnasium.spec(ENV_ID).max_episode_steps == EPISODE_STEPS


def test_workers_load_no_gymnasium_and_registering_no_game() -> None:
    run("import sys, pipeline.cage2.engine.fast_env, pipeline.cage2.cyborg.env; assert 'gymnasium' not in sys.modules")
    run(
        "import sys, pipeline.cage2.gym;"
        "assert not {'numba', 'csle_cyborg', 'pipeline.cage2.gym.games', 'torch'} & set(sys.modules)"
    )


def test_nothing_runs_when_others_import_gymnasium(tmp_path: Path) -> None:
    """A program's own `pipeline.py` is nobody else's business."""
    (tmp_path / "pipeline.py").write_text("raise SystemExit('somebody ran this')")
    run("import gymnasium, sys; assert 'pipeline' not in sys.modules", cwd=tmp_path)


def test_that_the_game_has_to_be_compiled_is_said_once_and_only_then(tmp_path: Path) -> None:
    make = "gymnasium.make('pipeline.cage2.gym:Cage2-v0')"
    program = f"import gymnasium; {make}; {make}; gymnasium.make_vec('pipeline.cage2.gym:Cage2-v0', 2)"
    command = [sys.executable, "-W", "error", "-c", program]
    run(f"import gymnasium; env = {make}; env.reset(seed=0); env.step(0)")  # which keeps it
    told = [
        subprocess.run(command, env=os.environ | changes, capture_output=True, text=True, check=True).stderr
        for changes in ({"NUMBA_CACHE_DIR": str(tmp_path)}, {})
    ]
    assert told == ["Cage2-v0: the first game compiles the simulator, once, about 10 s\n", ""]


def test_action_numbers_of_another_port_are_translated_as_documented() -> None:
    """By the example in docs/gymnasium.md."""
    text = (Path(__file__).parents[4] / "docs" / "gymnasium.md").read_text()
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "mini_cage = " in block]
    found: dict[str, Any] = {}
    exec(example, found)  # noqa: S102 - our own
    assert len(found["mini_cage"]) == 53
    here = found["here"]
    assert [here[number] for number in (0, 1, 13, 27, 39, 40, 52)] == [0, 2, 14, 15, 27, 132, 144]
    assert not set(here) & set(range(14, 27))  # decoys are of a kind here
    names = Interface(actions="merged").action_names
    assert {number: names[place] for number, place in found["here_merged"].items() if 14 <= number < 27} == {
        15: "Decoy Enterprise0",
        16: "Decoy Enterprise1",
        17: "Decoy Enterprise2",
        21: "Decoy Op_Server0",
        24: "Decoy User2",
    }
