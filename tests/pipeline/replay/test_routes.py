from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.evaluate.trained import NoPolicyError, load_trained
from pipeline.persist.runs import RunFolderError
from pipeline.replay import routes
from pipeline.replay.asked import Asked, play_asked
from pipeline.replay.episode import as_json
from pipeline.replay.errors import ReplayError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.conftest import MakeRun


@pytest.fixture
def run(make_run: MakeRun) -> Path:
    return make_run({17: 100}, best=17)


def test_an_episode_and_a_fork_of_it(run: Path) -> None:
    query = {"seed": "3", "episode": "2", "steps": "12"}
    trained = load_trained(run, None)
    played = play_asked(Asked(2, num_steps=12), trained, trained.config.model_copy(update={"seed": 3}))
    assert as_json(routes.episode(run, query)) == as_json(played.replay())
    answer = routes.fork(run, {**query, "moment": "4", "choice": "Restore User1"})
    assert as_json(answer) == as_json(played.fork(4, "Restore User1"))
    assert json.loads(as_json(answer))["num_futures"] == 1000


def test_who_attacks_and_whose_policy(run: Path) -> None:
    told = {"steps": "5", "red_agent": "RedMeanderAgent", "workflow": order_name(17), "greedy": "true"}
    answer = routes.episode(run, told)
    assert (answer["red_agent"], answer["agent"]["actions"]) == ("RedMeanderAgent", "greedy")
    with pytest.raises(NoPolicyError):
        routes.episode(run, {**told, "workflow": order_name(3)})


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"seed": "-1"}, "seed -1: "),
        ({"episode": "<b>"}, "episode <b>: "),
        ({"worst_of": "100000000"}, "worst_of 100000000: "),
        ({"red_agent": "os.py:system"}, "red_agent os.py:system: "),
        ({"workflow": "user"}, "'user' is no workflow"),
        ({"run": "elsewhere"}, "run elsewhere: Extra inputs"),
    ],
)
def test_what_cannot_be_is_told(query: dict[str, str], told: str, run: Path) -> None:
    with pytest.raises(ReplayError) as caught:
        routes.episode(run, query)
    assert str(caught.value).startswith(told)


def test_an_attackers_code_is_not_run_by_a_folders_word(make_run: MakeRun, tmp_path: Path) -> None:
    red = tmp_path / "red.py"
    red.write_text("raise RuntimeError('it was run')")
    folder = make_run({3: 900}, red_agent=f"{red}:Red")
    with pytest.raises(RunFolderError, match="not run by a folder's word"):
        routes.episode(folder, {})
    assert routes.episode(folder, {"red_agent": "B_lineAgent", "steps": "3"})["num_steps"] == 3
