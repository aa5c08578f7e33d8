from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.config import Config
from pipeline.persist.runs import RunFolder

if TYPE_CHECKING:
    from conftest import Mistake


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("config.json", "{", "can't read run/config.json: Expecting property name"),
        ("config.json", "[]", "can't read run/config.json: "),
        ("config.json", '{"workerz": 2}', "can't read run/config.json: workerz: Extra inputs are not permitted"),
        ("checkpoint/manifest.json", "{", "can't read run/checkpoint/manifest.json: "),
        ("checkpoint/manifest.json", '{"format": 0}', "run/checkpoint/manifest.json is not a checkpoint of format 2"),
        ("checkpoint/manifest.json", '{"format": 2}', "run/checkpoint/manifest.json was altered or damaged"),
    ],
)
def test_a_damaged_run_is_not_resumed(file: str, content: str, told: str, mistake: Mistake) -> None:
    RunFolder.create(Config(log_dir=Path(), run_name="run")).close()
    path = Path("run", file)
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert mistake("resume", "run").startswith(told)


def test_a_run_is_not_resumed_while_it_is_alive(mistake: Mistake) -> None:
    folder = RunFolder.create(Config(log_dir=Path(), run_name="run"))
    assert mistake("resume", "run").startswith("run belongs to a run that is still alive: wait for it, stop it, or")
    folder.close()


def test_a_budget_that_can_not_take_the_place_of_the_runs(mistake: Mistake) -> None:
    RunFolder.create(Config(log_dir=Path(), run_name="run", total_episodes=100)).close()
    assert mistake("resume", "run", "--total-episodes", "x").startswith("--total-episodes x: must be a valid integer")
    assert mistake("resume", "run", "--total-episodes", "99").startswith(
        "--total-episodes 99: the run has a budget of 100 episodes, and only a larger one can take its place"
    )
    assert mistake("resume", "run", "--total-episodes", "101") == (
        "run has used 0 of its 100 episodes: it can be given more when it has come to their end. Go on with it first "
        "(resume run)"
    )
    assert mistake("resume", "run", "--seed", "3").startswith(
        "--seed can't change when a run is resumed, only --total-episodes, --red-agent, --workers,"
    )


def test_a_run_is_not_resumed_with_too_few_slots(mistake: Mistake) -> None:
    RunFolder.create(Config(log_dir=Path(), run_name="run", slots=4, workers=2)).close()
    assert mistake("resume", "run", "--workers", "5").startswith("4 slots can't keep 5 workers busy")
    assert mistake("resume", "run", "--slots", "0").startswith("--slots 0: must be")
