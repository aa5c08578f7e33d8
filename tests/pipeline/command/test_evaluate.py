from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import read_traces
from pipeline.cage2.attackers import meander
from pipeline.cage2.facts.order_names import order_name
from pipeline.command.cli import main
from pipeline.command.process import FAILED, INTERRUPTED, OK, USAGE

if TYPE_CHECKING:
    from tests.pipeline.conftest import MakeRun

ROOT = Path(__file__).parents[3]


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command line that is a mistake; return the one line that says so."""
    assert main(("evaluate", *arguments)) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.removesuffix("\n").isprintable()  # so it is one line
    return err.removeprefix("error: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "the following arguments are required: AGENT"),
        ("randon", "there is no run 'randon': did you mean random?"),
        ("bluereactrestore", "there is no run 'bluereactrestore': did you mean BlueReactRestore?"),
        (
            "nowhere",
            "there is no run 'nowhere': give one like logs/tuesday, or random, sleep, restore, BlueReactRestore, Bl",
        ),
        (".", ". is not the folder of a run: it has no config.json. Give one like logs/tuesday"),
        ("a" * 5000, f"there is no run '{'a' * 59}: give one"),
        ("random --steps 30,,50", "--steps '': must be a whole number from 1 to 10000"),
        ("random --steps 30,30", "--steps '30,30': name each once"),
        ("random --steps=", "--steps '': must be a whole number from 1 to 10000"),
        ("random --steps 0", "--steps '0': must be a whole number from 1 to 10000"),
        ("random --episodes 1e3", "--episodes '1e3': must be a whole number from 1 to 1000000"),
        ("random --episodes ²", "--episodes '²': must be"),
        ("random --red-agents B_line", "--red-agents 'B_line': did you mean B_lineAgent?"),
        ("random --red-agents x", "--red-agents 'x': choose of B_lineAgent, RedMeanderAgent, SleepAgent"),
        ("random --seed -1", "--seed -1: must be greater than or equal to 0"),
        ("random --workers 0", "--workers 0: must be greater than or equal to 1"),
        ("random --profile yesterday", "--profile yesterday: must be 'head' or 'leaderboard'"),
        ("random --engine cyborg --profile leaderboard", "profile: CybORG plays the game of today only; leaderboard"),
        ("random --workerz 2", "unknown option --workerz: did you mean --workers?"),
        ("random --total-episodes 2", "unknown option --total-episodes"),
        ("random --greedy --sampled", "argument --sampled: not allowed with argument --greedy"),
        ("Sleep --greedy", "--greedy is for policies: leave it out, Sleep has no use for it"),
        ("sleep --sampled", "--sampled is for policies: leave it out, sleep has no use for it"),
        ("random --trace /nowhere/x.jsonl", "can't write /nowhere/x.jsonl: No such file or directory"),
        ("random --trace .", ". exists already, and nothing is overwritten: choose another name"),
        ("restore --workflow x", "--workflow 'x' is no workflow: write each of the 5 host types once"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert mistake(capsys, *arguments.split()).startswith(told)


def test_the_mistakes_of_a_run_are_told_in_one_line(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run({3: 900}, profile="leaderboard")
    assert mistake(capsys, str(run), "--workflow", order_name(4)).startswith(f"{run} has no policy for")
    assert mistake(capsys, str(run), "--engine", "cyborg").startswith("profile: CybORG plays the game of today only")
    (run / "checkpoint" / "manifest.json").write_text("{")
    assert mistake(capsys, str(run)).startswith(f"can't read {run}/checkpoint/manifest.json")
    (run / "checkpoint" / "manifest.json").unlink()
    assert mistake(capsys, str(run)).startswith(f"{run} has no checkpoint yet")


def test_mistakes_are_told_before_anything_is_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "run.py"), "evaluate", "randon"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pipeline.command.evaluate" in imported
    assert not imported & {"torch", "numba", "rich", "structlog", "csle_cyborg", "gpytorch"}


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(("evaluate", *arguments, "--json")) == OK
    report: dict[str, Any] = json.loads(capsys.readouterr().out)  # and nothing else is there
    return report


SMALL = ("--episodes", "4", "--steps", "5,30", "--red-agents", "RedMeanderAgent,B_lineAgent")


def test_a_policy_is_evaluated(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run({3: 900, 17: 100}, best=17, profile="leaderboard")
    report = evaluated(capsys, str(run), *SMALL)
    assert report["agent"]["workflow_id"] == 17
    assert report["agent"]["workflow_order"] == order_name(17)
    assert report["agent"]["actions"] == "sampled"
    assert report["game"]["profile"] == "leaderboard"
    assert report["game"]["cyborg"].startswith("csle-cyborg ")
    assert (report["seed"], report["episodes"], report["total_score"]) == (0, 4, None)
    played = [(each["steps"], each["red_agent"]) for each in report["scenarios"]]
    assert played == [(5, "RedMeanderAgent"), (5, "B_lineAgent"), (30, "RedMeanderAgent"), (30, "B_lineAgent")]
    assert all(0 <= each["compliance"]["mean"] <= 1 for each in report["scenarios"])

    assert evaluated(capsys, str(run / "checkpoint"), *SMALL, "--sampled") == report
    other = evaluated(capsys, str(run), *SMALL, "--workflow", order_name(3).replace(" ", ""))
    assert (other["agent"]["workflow_id"], other["agent"]["chosen"]) == (3, "as asked for")
    greedy = evaluated(capsys, str(run), *SMALL, "--greedy")
    assert greedy["agent"]["actions"] == "greedy"
    head = evaluated(capsys, str(run), *SMALL, "--profile", "head")
    assert head["game"]["profile"] == "head"
    assert len({json.dumps(each["scenarios"]) for each in (report, other, greedy)}) == 3


def test_a_policy_is_evaluated_as_it_was_trained(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    def steps(run: Path, *arguments: str) -> set[int]:
        report = evaluated(capsys, str(run), "--episodes", "1", *arguments)
        return {each["steps"] for each in report["scenarios"]}

    short = make_run({3: 900}, episode_steps=7)
    assert steps(short) == {7}
    assert steps(short, "--steps", "5,30") == {5, 30}
    assert steps(make_run({3: 900}, name="usual")) == {30, 50, 100}


def test_attackers_of_ones_own_are_evaluated_against(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "red.py"
    path.write_text(Path(meander.__file__).read_text())
    small = ("restore", "--episodes", "6", "--steps", "20", "--red-agents", f"{path}:Meander,SleepAgent")
    report = evaluated(capsys, *small)
    assert [each["red_agent"] for each in report["scenarios"]] == [f"{path}:Meander", "SleepAgent"]
    on_cyborg = evaluated(capsys, *small, "--engine", "cyborg", "--workers", "2")
    assert on_cyborg["scenarios"] == report["scenarios"]
    assert mistake(capsys, "restore", "--red-agents", f"{path}:Meandre").startswith(
        f"no attacker '{path}:Meandre': there is no Meandre in {path}: did you mean Meander?"
    )


def test_what_an_attacker_raises_is_told_with_step_and_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "red.py"
    path.write_text("class Mine:\n    def __init__(self, _): ...\n    def choose(self, knowledge): return 1 / 0")
    for agent in ("restore", "random"):
        for workers in ("1", "2"):
            arguments = ("--episodes", "2", "--steps", "5", "--red-agents", f"{path}:Mine", "--workers", workers)
            assert main(("evaluate", agent, *arguments)) == FAILED
            told = capsys.readouterr().err
            assert "ZeroDivisionError: division by zero\nraised by" in told
            assert f"raised by {path}:Mine, in step 1 of the episode with environment seed" in told
            assert "pipeline/" not in told


def test_engine_and_workers_change_nothing(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run({3: 900})
    report = evaluated(capsys, str(run), *SMALL)
    on_cyborg = evaluated(capsys, str(run), *SMALL, "--engine", "cyborg", "--workers", "2")
    assert on_cyborg.pop("game") == {**report.pop("game"), "engine": "cyborg"}
    assert on_cyborg == report
    assert evaluated(capsys, str(run), *SMALL, "--seed", "1")["scenarios"] != report["scenarios"]


def test_a_baseline_is_evaluated_by_the_protocol(capsys: pytest.CaptureFixture[str]) -> None:
    report = evaluated(capsys, "restore", "--episodes", "3")
    assert report["agent"] == {"name": "restore"}
    assert report["game"]["profile"] == "head"
    assert len(report["scenarios"]) == 9
    assert report["total_score"]["mean"] == pytest.approx(sum(each["mean"] for each in report["scenarios"]))

    assert main(("evaluate", "restore", "--episodes", "3")) == OK
    out = capsys.readouterr().out
    assert "\ngame: profile head, on the fast engine (csle-cyborg " in out
    assert out.startswith("agent: restore (not the leaderboard's Blue React Restore")
    assert f"total score: {report['total_score']['mean']:.1f} ± " in out


def test_what_is_played_can_be_written_down(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The numbers are the same, and so is the file, whoever plays and with how many workers."""
    run = str(make_run({3: 900}))
    report = evaluated(capsys, run, *SMALL)
    files = []
    for name, workers in (("one", "1"), ("two", "2")):
        files.append(tmp_path / f"{name}.jsonl")
        assert evaluated(capsys, run, *SMALL, "--trace", str(files[-1]), "--workers", workers) == report
    assert files[0].read_bytes() == files[1].read_bytes()
    traces = read_traces(files[0])
    assert traces.header.agent == report["agent"]
    assert traces.header.game == report["game"]
    assert (traces.header.seed, traces.header.version) == (report["seed"], report["version"])
    returns: dict[tuple[int, str], list[float]] = {}
    for trace in traces:
        returns.setdefault((len(trace.steps), trace.red_agent), []).append(trace.total_reward)
    assert {key: sum(values) / 4 for key, values in returns.items()} == pytest.approx(
        {(each["steps"], each["red_agent"]): each["mean"] for each in report["scenarios"]}
    )
    assert mistake(capsys, run, "--trace", str(files[0])).startswith(f"{files[0]} exists already")


@pytest.mark.parametrize("is_kept", [True, False])
def test_that_machine_code_is_made_is_said_and_only_then(
    is_kept: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.evaluate.evaluation.must_be_compiled", lambda *_: not is_kept)
    assert main(("evaluate", "sleep", "--episodes", "1", "--steps", "1")) == OK
    told = "note: compiling first, once, about 10 s\n"
    assert capsys.readouterr().err == ("" if is_kept else told)


def test_a_folder_may_be_called_like_a_baseline(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_run({3: 900}, name="random").parent)
    few = ("--episodes", "1", "--steps", "1")
    assert evaluated(capsys, "random", *few)["agent"] == {"name": "random"}
    assert evaluated(capsys, "./random", *few)["agent"]["name"] == "policy"


@pytest.mark.parametrize(
    ("workers", "sent"), [("1", signal.SIGINT), ("2", signal.SIGINT), ("2", signal.SIGTERM), ("2", signal.SIGHUP)]
)
def test_signals_end_it_without_a_word_and_nothing_stays(workers: str, sent: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C as a terminal sends it, to every process of the command; others to the command alone."""
    arguments = ("evaluate", "random", "--episodes", "1000000", "--engine", "cyborg", "--workers", workers)
    with subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        # whoever runs the tests in a shell's background has Ctrl-C ignored, and all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as command:
        assert command.stderr is not None
        assert re.fullmatch(r"playing: [\d,]+ of 9,000,000 episodes\n", command.stderr.readline())
        while workers != "1" and command.poll() is None and not list(tmp_path.glob("cage2-*")):
            time.sleep(0.01)
        (os.killpg if sent == signal.SIGINT else os.kill)(command.pid, sent)
        out, err = command.communicate(timeout=60)
    assert (command.returncode, out) == (INTERRUPTED, "")
    assert all(line.startswith("playing: ") for line in err.splitlines())
    assert not list(tmp_path.iterdir())


PRINTING = """
import os

class Agent:
    def get_action(self, observation, action_space):
        print("hello")
        os.write(1, b"from below")
        return 0
"""


def test_an_agent_of_ones_own_is_evaluated_and_may_print(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my.py").write_text(PRINTING)
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "evaluate", "my.py:Agent", *SMALL, "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
        cwd=tmp_path,
    )
    report = json.loads(done.stdout)
    assert done.stderr.count("hello") == done.stderr.count("from below") == 4 * 2 * (5 + 30)
    agent = report["agent"]
    assert (agent["name"], agent["form"], agent["observation"]) == ("my.py:Agent", "CybORG's", "stock")
    assert (agent["arguments"], len(agent["sha256"])) == ({}, 64)
    assert report["scenarios"] == evaluated(capsys, "sleep", *SMALL)["scenarios"]
    assert [file.name for file in tmp_path.iterdir()] == ["my.py"]


def test_what_is_wrong_with_an_agent_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "my.py"
    file.write_text("class Agent: ...")
    assert main(("evaluate", f"{file}:Agent", *SMALL)) == USAGE
    assert "is no agent. It must have one of the forms" in capsys.readouterr().err
    file.write_text("class Agent:\n    def __init__(self):\n        raise ValueError('no weights')")
    assert main(("evaluate", f"{file}:Agent", *SMALL)) == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("ValueError: no weights\n")
