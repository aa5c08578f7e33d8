from __future__ import annotations

import json
import shutil
import sys
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING

import pytest

from pipeline.collect.methods import game_spec
from pipeline.evaluate.evaluation import Request, evaluate
from pipeline.evaluate.scenario import PROTOCOL
from pipeline.evaluate.task import Policy
from pipeline.evaluate.trained import load_trained
from pipeline.persist.files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MistakeTold

    from pipeline.cage2.facts.names import Profile


def test_it_trains_what_is_missing_plays_all_and_writes_both_files(
    tmp_path: Path, commands_here: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, to = tmp_path / "runs", tmp_path / "docs"
    to.mkdir()

    def run(*arguments: str) -> tuple[int, str, str]:
        tiny = ("--rows=plain", "--seeds=1", "--total-episodes=64", "--episodes=2")
        monkeypatch.setattr(sys, "argv", ["leaderboard.py", f"--runs={runs}", f"--to={to}", *tiny, *arguments])
        status = import_module("leaderboard").main()
        return status, *capsys.readouterr()

    assert run("--trained-only") == (2, "", f"error: nothing is trained yet in {runs}: leave --trained-only out\n")

    status, _, told = run()
    assert status == 0, told
    assert told.count("training\n") == 2
    first = json.loads((to / "leaderboard.json").read_text())
    assert "sleep" in first["missing"]
    assert not [name for name in first["missing"] if name.startswith("plain")]
    results = {(result["trained_on"], result["game"]["profile"]): result for result in first["results"]}
    assert sorted(results) == list(product(("head", "leaderboard"), repeat=2))
    for (trained_on, profile), result in results.items():
        assert [scenario["mean"] for scenario in result["scenarios"]] == played(runs / f"plain-{trained_on}-0", profile)
    made = (to / "leaderboard.md").read_text()
    assert made == import_module("parts.leaderboard_page").page(first)
    assert "| `plain` | leaderboard | 0 |" in made
    assert str(tmp_path) not in made

    # one that was stopped goes on, the other stays as it is; what was played is not played again
    summary = runs / "plain-head-0" / "summary.json"
    write_json(summary, {**read_json(summary), "reason": "stopped"})
    status, _, told = run()
    assert status == 0, told
    assert told.count("training\n") == 1
    assert "plain trained on head, seed 0: training\n" in told
    assert read_json(summary)["reason"] == "budget"
    assert json.loads((to / "leaderboard.json").read_text())["results"] == first["results"]

    # one that isn't there is missing
    shutil.rmtree(runs / "plain-leaderboard-0")
    (runs / "results.json").unlink()
    status, printed, told = run("--trained-only", "--json", "--quiet")
    assert (status, told) == (0, "")
    rest = json.loads(printed)
    assert [name for name in rest["missing"] if name.startswith("plain")] == ["plain trained on leaderboard, seed 0"]
    assert rest["results"] == [result for result in first["results"] if result["trained_on"] == "head"]

    # with another budget the runs would be others
    status, _, told = run("--total-episodes=128")
    assert status == 2
    assert "plain-head-0 is another run, with other total_episodes: give another folder as --runs\n" in told


def played(run_dir: Path, profile: Profile) -> list[float]:
    """Return the means of two episodes of each scenario, played here."""
    trained = load_trained(run_dir, None)
    policy = Policy(trained.weights, trained.workflow_id, greedy=True)
    game = game_spec(trained.config.model_copy(update={"profile": profile}))
    return [result.env_reward.mean for result in evaluate(Request(policy, game, PROTOCOL, 2, seed=0))]


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--rows=greedy", "unknown row greedy: choose from "),
        ("--seeds=11", "--seeds takes 1 to 10"),
        ("--episodes=0", "take 1 or more"),
        ("--to=/none", "there is no such folder"),
    ],
)
def test_a_mistake_is_told_in_one_line(mistake_told: MistakeTold, argument: str, told: str) -> None:
    (error,) = mistake_told("leaderboard", "--runs=none", argument)
    assert error.startswith("error: ")
    assert told in error
