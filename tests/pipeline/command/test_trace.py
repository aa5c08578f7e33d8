from __future__ import annotations

import csv
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

from pipeline import read_traces, seeding
from pipeline.cage2.facts.order_names import order_name
from pipeline.command.cli import main
from pipeline.command.process import FAILED, INTERRUPTED, OK, USAGE
from pipeline.persist.runs import read_config

if TYPE_CHECKING:
    from pipeline.trace.trace import Trace
    from tests.pipeline.conftest import MakeRun

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs" / "files.md"


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(("trace", *arguments)) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.removesuffix("\n").isprintable()
    return err.removeprefix("error: ").removesuffix("\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "the following arguments are required: AGENT"),
        ("nowhere", "there is no run 'nowhere': give one like logs/tuesday, or random, sleep, restore"),
        ("sleep --episode -1", "--episode '-1': must be a whole number from 0 to 1000000"),
        ("sleep --episodes 0", "--episodes '0': must be a whole number from 1 to 1000000"),
        ("sleep --steps 0", "--steps '0': must be a whole number from 1 to 10000"),
        ("sleep --greedy", "--greedy is for policies: leave it out, sleep has no use for it"),
        ("sleep --red-agent Mixed", "--red-agent Mixed: an episode of an evaluation has one: choose of B_lineAgent, "),
        ("sleep --red-agent x", "--red-agent x: must be B_lineAgent"),
        ("sleep --engine cyborg --profile leaderboard", "profile: CybORG plays the game of today only; leaderboard"),
        ("sleep --purpose x", "--purpose 'x': choose of comparison, evaluation, training"),
        ("sleep --purpose training", "--purpose training is for runs: leave it out, sleep has none"),
        ("sleep --purpose evaluation", "--purpose evaluation and --visit go together"),
        ("sleep --visit 3", "--purpose evaluation and --visit go together"),
        ("run --purpose evaluation --visit x", "--visit 'x': must be a whole number from 0"),
        ("sleep --json --to x.jsonl", "argument --to: not allowed with argument --json"),
        ("sleep --too x.jsonl", "unknown option --too: did you mean --to?"),
        ("sleep --workers 2", "unknown option --workers: "),
        ("sleep --to /nowhere/x.jsonl", "can't write /nowhere/x.jsonl: No such file or directory"),
        ("sleep --to .", ". exists already, and nothing is overwritten"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert mistake(capsys, *arguments.split()).startswith(told)


@pytest.mark.parametrize("option", ["--seed=3", "--steps=5", "--profile=head"])
def test_what_a_run_has_played_is_not_changed(
    option: str, make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    told = mistake(capsys, str(make_run({3: 900})), "--purpose", "training", option)
    assert told == f"{option.partition('=')[0]} is the run's own with --purpose training: leave it out"


@pytest.mark.parametrize("options", [(), ("--purpose=training",)], ids=["as evaluate", "training"])
def test_an_attacker_is_code_and_not_run_by_a_folders_word(
    options: tuple[str, ...], make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    red = tmp_path / "red.py"
    red.write_text("raise RuntimeError('it was run')")
    folder = make_run({3: 900}, red_agent=f"{red}:Red")
    told = mistake(capsys, str(folder), *options)
    assert told.startswith(f"{folder} is trained against {red}:Red, which is code, and not run by a folder's word")
    red.write_text("from pipeline.cage2.attackers.sleep import Sleep as Red")
    assert main(("trace", str(folder), *options, f"--red-agent={red}:Red", "--json")) == OK


def test_mistakes_are_told_before_anything_is_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "run.py"), "trace", "randon"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pipeline.command.trace" in imported
    assert not imported & {"torch", "numba", "rich", "structlog", "csle_cyborg", "gpytorch"}


def traced(path: Path, *arguments: str) -> list[Trace]:
    assert main(("trace", *arguments, "--to", str(path))) == OK
    return list(read_traces(path))


SCENARIO = ("--steps", "30", "--red-agent", "RedMeanderAgent", "--seed", "4")


@pytest.mark.parametrize("choice", ["--sampled", "--greedy"])
def test_an_episode_is_that_of_an_evaluation(
    choice: str, make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run({3: 900, 17: 100}, best=17)
    asked = ("--steps", "30", "--seed", "4", choice, "--episodes", "4", "--json")
    assert main(("evaluate", str(run), *asked, "--red-agents", "RedMeanderAgent")) == OK
    (evaluated,) = json.loads(capsys.readouterr().out)["scenarios"]
    traces = traced(tmp_path / "all.jsonl", str(run), *SCENARIO, choice, "--episodes", "4")
    assert sum(trace.total_reward for trace in traces) / 4 == pytest.approx(evaluated["mean"])
    assert sum(trace.compliance or 0 for trace in traces) / 4 == pytest.approx(evaluated["compliance"]["mean"])
    assert capsys.readouterr().out == f"{tmp_path}/all.jsonl: 4 episodes\n"
    again = traced(tmp_path / "one.jsonl", str(run), *SCENARIO, choice, "--episode", "2", "--engine", "cyborg")
    assert again == traces[2:3]
    header = read_traces(tmp_path / "one.jsonl").header
    assert (header.agent["workflow_id"], header.agent["actions"]) == (17, choice.removeprefix("--"))
    assert (header.game["engine"], header.purpose, header.seed) == ("cyborg", "comparison", 4)


def test_json_is_what_a_file_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traced(tmp_path / "x.jsonl", "restore", *SCENARIO, "--episodes", "2")
    capsys.readouterr()
    assert main(("trace", "restore", *SCENARIO, "--episodes", "2", "--json")) == OK
    assert capsys.readouterr().out == (tmp_path / "x.jsonl").read_text()
    assert mistake(capsys, "restore", "--to", str(tmp_path / "x.jsonl")).endswith("or remove it first")


def test_a_table_has_a_row_for_each_step(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run({3: 900}, red_agent="Mixed", episode_steps=7)
    assert main(("trace", str(run), "--episodes", "2", "--episode", "5")) == OK
    out = capsys.readouterr().out
    assert out.startswith(f"agent: policy of {run}, sampled actions\nworkflow: {order_name(3)} (")
    assert "B_lineAgent, 7 steps, episode 5" in out
    assert "B_lineAgent, 7 steps, episode 6" in out
    assert sum(line[:5].strip().isdecimal() for line in out.splitlines()) == 14


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two visits to one workflow each, with an evaluation after each."""
    folder = tmp_path_factory.mktemp("logs")
    options = {
        "collector": "sequential",
        "total-episodes": 16,
        "episodes-per-update": 8,
        "max-episodes-per-workflow": 8,
        "compliance-threshold": 0,
        "evaluation-episodes": 4,
        "finals-share": 0,
        "episode-steps": 20,
        "red-agent": "Mixed",
        "run-name": "run",
        "log-dir": folder,
    }
    assert main(("--quiet", *(f"--{name}={value}" for name, value in options.items()))) == OK
    return folder / "run"


def test_what_a_run_evaluated_comes_again(trained: Path, tmp_path: Path) -> None:
    """The policy of a visit that was its order's last one is as it was evaluated then."""
    rows = list(csv.DictReader((trained / "gp_sampling_log.csv").read_text().splitlines()))
    assert len({row["Workflow"] for row in rows}) == len(rows) == 2
    for number, row in enumerate(rows):
        asked = ("--purpose", "evaluation", "--visit", row["Iteration"], "--workflow", row["Workflow"])
        for choice, column in (("--sampled", "Reward"), ("--greedy", "Greedy_Env_Reward")):
            path = tmp_path / f"{number}{choice}.jsonl"
            traces = traced(path, str(trained), *asked, choice, "--episodes", "4")
            mean = sum(trace.total_reward for trace in traces) / 4
            assert f"{mean:z.4f}" == row[column]
            assert read_traces(path).header.purpose == "evaluation"


def test_a_training_episode_is_its_game_with_the_policy_of_today(trained: Path, tmp_path: Path) -> None:
    config = read_config(trained)
    rows = list(csv.DictReader((trained / "training_log.csv").read_text().splitlines()))
    workflow_id, order = int(rows[0]["Workflow_ID"]), rows[0]["Workflow_Order"]
    (trace,) = traced(tmp_path / "x", str(trained), "--purpose", "training", "--workflow", order, "--episode", "5")
    environment, actions = seeding.episode_seeds(config.seed, workflow_id, [5])
    assert (trace.environment_seed, trace.actions_seed) == (int(environment[0]), int(actions[0]))
    assert (trace.group, trace.index, len(trace.steps)) == (workflow_id, 5, 20)


@pytest.mark.parametrize("form", [["--json"], []], ids=["json", "table"])
def test_who_has_seen_enough_may_go(form: list[str], tmp_path: Path) -> None:
    """As `head` does."""
    command = [sys.executable, str(ROOT / "run.py"), "trace", "sleep", "--episodes", "1000", *form]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as playing:
        assert playing.stdout is not None
        assert playing.stderr is not None
        playing.stdout.readline()
        playing.stdout.close()
        assert playing.stderr.read() == b""
        assert playing.wait(60) == FAILED


def test_ctrl_c_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    command = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "trace", "random", "--episodes", "100000", "--to", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # whoever runs the tests in a shell's background has Ctrl-C ignored, and all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        while command.poll() is None and not (path.exists() and path.read_bytes().count(b"\n") > 3):
            time.sleep(0.01)
        os.killpg(command.pid, signal.SIGINT)
        _, err = command.communicate(timeout=30)
    finally:
        command.kill()
    assert command.returncode == INTERRUPTED
    assert "Traceback" not in err
    assert path.read_bytes().endswith(b"\n")
    assert len(list(read_traces(path))) >= 3


def keys(value: Any) -> set[str]:
    """Return the keys of an object and of those in it, but for those that are names: of hosts, of choices."""
    if isinstance(value, list):
        return {name for inner in value for name in keys(inner)}
    if not isinstance(value, dict) or any(name[0].isupper() for name in value):
        return set()
    return value.keys() | {name for inner in value.values() for name in keys(inner)}


def test_every_key_is_explained(tmp_path: Path) -> None:
    """docs/files.md has each, and none that there isn't."""
    path = tmp_path / "x.jsonl"
    traced(path, "sleep")
    header, line = map(json.loads, path.read_text().splitlines())
    (text,) = re.findall(r"^## Traces$(.*?)(?=^## |\Z)", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    explained = [name for cell in cells for name in re.findall("`(.+?)`", cell)]
    named = {name.rpartition(".")[2] for name in explained}
    inside = {name for part in ("agent", "game") for name in header[part]}
    assert named == (keys(header) | keys(line)) - inside


def test_agents_of_ones_own_and_the_contests_are_traced_as_they_are_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for agent in (f"{ROOT}/examples/my_agent.py:Agent", "Random"):
        arguments = (agent, "--steps=30", "--episodes=2")
        file, evaluated = tmp_path / f"{Path(agent).stem}.jsonl", tmp_path / f"{Path(agent).stem}-evaluated.jsonl"
        assert main(("evaluate", *arguments, "--red-agents=RedMeanderAgent", "--json", "--trace", str(evaluated))) == OK
        report = json.loads(capsys.readouterr().out)
        (scenario,) = report["scenarios"]
        assert main(("trace", *arguments, "--red-agent=RedMeanderAgent", "--to", str(file))) == OK
        capsys.readouterr()
        assert file.read_text() == evaluated.read_text()
        assert read_traces(file).header.agent == report["agent"]
        returns = [trace.total_reward for trace in read_traces(file)]
        assert sum(returns) / 2 == pytest.approx(scenario["mean"], abs=1e-9)
    assert main(("trace", f"{ROOT}/examples/my_agent.py:Agent", "--step-timeout", "3")) == USAGE
    assert "--step-timeout is for evaluations" in capsys.readouterr().err
