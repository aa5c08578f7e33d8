from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.command.cli import main
from pipeline.command.process import FAILED, INTERRUPTED, OK, USAGE
from pipeline.contest.baselines import CONTEST_BASELINES, SleepingAgent
from pipeline.contest.entry import Entry

if TYPE_CHECKING:
    from tests.pipeline.conftest import MakeRun

ROOT = Path(__file__).parents[3]
CONTEST = ("--protocol", "contest")


def evaluated(capsys: pytest.CaptureFixture[str], agent: str, *arguments: str) -> dict[str, Any]:
    assert main(("evaluate", agent, *CONTEST, "--episodes", "2", *arguments, "--json")) == OK
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--steps 30", "--protocol contest plays all nine scenarios: leave --steps and --red-agents out"),
        ("--red-agents SleepAgent", "--protocol contest plays all nine scenarios"),
        ("--workers 2", "--protocol contest plays on one generator, in one process: leave --workers out"),
        ("--protocol contests", "argument --protocol: invalid choice: 'contests'"),
    ],
)
def test_what_the_script_leaves_no_choice_of_is_refused(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("evaluate", "sleep", *CONTEST, *arguments.split())) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {told}")


def test_the_contests_baselines_play_it(capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluated(capsys, "Random", "--seed", "153")
    assert (report["protocol"], report["seed"], report["episodes"]) == ("contest", 153, 2)
    assert len(report["scenarios"]) == 9
    assert evaluated(capsys, "Random", "--seed", "153", "--workers", "1") == report
    assert evaluated(capsys, "Random")["scenarios"] != report["scenarios"]
    on_cyborg = evaluated(capsys, "Random", "--seed", "153", "--engine", "cyborg")
    assert on_cyborg["scenarios"] == report["scenarios"]


def test_it_is_printed_as_by_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluated(capsys, "BlueReactRestore", "--profile", "leaderboard")
    assert main(("evaluate", "BlueReactRestore", *CONTEST, "--episodes", "2", "--profile", "leaderboard")) == OK
    out = capsys.readouterr().out.splitlines()
    assert out[2].startswith("game: profile leaderboard, on the fast engine")
    assert out[3:12] == [
        f"Average reward for red agent {each['red_agent']} and steps {each['steps']} is: "
        f"{each['mean']} with a standard deviation of {each['std']}"
        for each in report["scenarios"]
    ]
    assert out[5].endswith("SleepAgent and steps 30 is: -27.0 with a standard deviation of 0.0")
    assert out[12].startswith("total score: -8")


def test_a_trained_policy_plays_it(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run({3: 900}, best=3)
    greedy, sampled, again, other = (
        evaluated(capsys, str(run), *arguments) for arguments in (["--greedy"], [], [], ["--seed", "1"])
    )
    assert (greedy["agent"]["actions"], sampled["agent"]["actions"]) == ("greedy", "sampled")
    assert sampled == again
    assert len({json.dumps(each["scenarios"]) for each in (greedy, sampled, other)}) == 3


def test_an_agent_that_fails_ends_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Failing(SleepingAgent):
        def act(self, observation: Any, view: Any) -> int:
            raise LookupError("no idea")

    monkeypatch.setitem(CONTEST_BASELINES, "Sleep", lambda: Entry(Failing()))
    assert main(("evaluate", "Sleep", *CONTEST, "--episodes", "2")) == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert "episode 0 of 30 steps against B_lineAgent failed at step 0" in err
    assert "LookupError: no idea" in err


def test_ctrl_c_ends_it_without_a_word(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "evaluate", "Random", *CONTEST, "--episodes", "1000000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        # whoever runs the tests in a shell's background has Ctrl-C ignored, and all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as command:
        assert command.stderr is not None
        assert command.stderr.readline().endswith(" of 9,000,000 episodes\n")
        os.kill(command.pid, signal.SIGINT)
        out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (INTERRUPTED, "")
    assert all(line.startswith("playing: ") for line in err.splitlines())


AGENT = """
import random

class Agent:
    def __init__(self, how="plays"):
        self.how, self.hosts = how, []

    def get_action(self, observation, action_space):
        print("thinking")
        assert (len(observation), action_space) == (52, 145)
        if self.how == "exits" and len(self.hosts) == 70:
            raise SystemExit(4)
        self.hosts.append(random.randrange(13))
        return 132 + self.hosts[-1] if self.how != "wrong" else 145

    def end_episode(self):
        random.random()
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    path = tmp_path / "drawing.py"
    path.write_text(AGENT)
    return path


def test_an_agent_of_ones_own_shares_the_games_generator(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluated(capsys, f"{file}:Agent", "--seed", "3")
    assert (report["agent"]["form"], len(report["scenarios"])) == ("CybORG's", 9)
    on_cyborg = evaluated(capsys, f"{file}:Agent", "--seed", "3", "--engine", "cyborg")
    assert on_cyborg["scenarios"] == report["scenarios"]
    assert evaluated(capsys, f"{file}:Agent", "--seed", "4")["scenarios"] != report["scenarios"]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("exits", "SystemExit: 4"),
        ("wrong", "it returned 145, of type int: an action is a whole number from 0 to 144"),
    ],
)
def test_what_an_agent_of_ones_own_does_wrong_is_told(
    how: str, told: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (*CONTEST, "--episodes", "2", "--agent-arg", f"how={how}")
    assert main(("evaluate", f"{file}:Agent", *arguments)) == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    where = (
        "episode 0 of 30 steps against RedMeanderAgent failed at step 10" if how == "exits" else "episode 0 of 30 steps"
    )
    assert f"error: {where}" in err
    assert told in err
    assert "pipeline/" not in err, "frames of this project's"


@pytest.mark.parametrize(
    "option", [("--observation", "memory"), ("--step-timeout", "3"), ("--trace", "games.jsonl")], ids=" ".join
)
def test_what_the_script_does_not_offer_is_refused(
    option: tuple[str, str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("evaluate", f"{file}:Agent", *CONTEST, *option)) == USAGE
    assert f"leave {option[0]} out" in capsys.readouterr().err
