from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.command.process import FAILED, OK
from pipeline.experiment.folder import EXPERIMENT, as_toml
from pipeline.persist.files import read_json
from pipeline.tuning.folder import FRESH, RECIPE, read_plan
from pipeline.tuning.plan import TuningPlan

if TYPE_CHECKING:
    from tests.pipeline.command.conftest import Mistake
    from tests.pipeline.conftest import EndedRun

pytest.importorskip("optuna")
ROOT = Path(__file__).parents[3]
LONGEST_S = 400.0
PLAN = TuningPlan({"total_episodes": 64}, ("ppo.learning_rate",), 3, 1, 5, 4)
ARGUMENTS = ("--trials=3", "--seeds=1", "--search=learning-rate", "--total-episodes=64")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--trials 1", "1 trials: must be from 2 to 1000"),
        ("--trials x", "--trials 'x': must be a whole number from 1 to 1000"),
        ("--fresh-seeds 4", "4 fresh seeds: must be from 5 to 100"),
        ("--search gama", "--search gama: did you mean gamma?"),
        ("--search gp-beta", "--search gp-beta: choose of ppo.learning_rate, "),
        ("--recipe prototype --search gae-lambda", "ppo.gae_lambda can't be searched: this recipe has no use"),
        ("--trails 3", "unknown option --trails: did you mean --trials?"),
        ("--total-episodes 0", "--total-episodes 0: must be"),
        ("nowhere", "nowhere is not the folder of a search: it has no tuning.toml"),
        ("--config nowhere.toml", "--config nowhere.toml: No such file or directory"),
    ],
)
def test_mistakes_are_told_before_anything_runs(arguments: str, told: str, mistake: Mistake) -> None:
    assert mistake("tune", *arguments.split()).startswith(told)


def test_a_missing_extra_is_told_before_anything_is_made(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)  # as if it were not installed
    assert mistake("tune") == "tune needs optuna: pip install 'cage2-pipeline[tune]'"


def test_help_imports_nothing_that_takes_time() -> None:
    code = (
        "import sys; from pipeline.command.cli import main\n"
        "try: main(['tune', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'numpy', 'torch', 'optuna'} & sys.modules.keys()"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "--fresh-seeds" in result.stdout


def test_what_has_ended_is_kept_and_the_winner_is_told(
    ended_run: EndedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A search in which nothing is left to do, by its command and by its folder."""
    folder = tmp_path / "rates"
    for number, (rate, greedy) in enumerate(((1e-3, -16.0), (4e-3, -14.0), (1e-2, -19.0))):
        run = PLAN.run(number, {"ppo.learning_rate": rate} if number else {}, 0, folder, {})
        given = run.config.model_dump(exclude_unset=True)
        ended_run(given.pop("run_name"), greedy, **given)
    for run in PLAN.fresh({"ppo.learning_rate": 4e-3}).runs(folder / FRESH, {}):
        given = run.config.model_dump(exclude_unset=True)
        worth = {"chosen": -14.0, "defaults": -16.0}[run.variant] - 0.1 * run.config.seed
        ended_run(given.pop("run_name"), worth, **given)
    (folder / FRESH / EXPERIMENT).write_text(as_toml(PLAN.fresh({"ppo.learning_rate": 4e-3})))
    (folder / "tuning.toml").write_text(
        'trials = 3\nseeds = 1\nfresh_seeds = 5\ntogether = 4\nsearch = ["ppo.learning_rate"]\n'
        "[base]\ntotal_episodes = 64\n"
    )
    assert main(["tune", *ARGUMENTS, f"--log-dir={tmp_path}", "--run-name=rates"]) == OK
    first = capsys.readouterr()
    assert "trial-001" in first.out
    assert "higher by 2.0 [" in first.out
    assert "What the defenders are worth" in first.out
    assert f"train --config {folder / RECIPE}" in first.err
    assert tomllib.loads((folder / RECIPE).read_text()) == {"recipe": "default", "ppo": {"learning_rate": 0.004}}
    assert main(["tune", str(folder), "--json"]) == OK
    assert json.loads(capsys.readouterr().out)["best"] == 1
    assert read_plan(folder) == PLAN
    assert main(["compare", str(folder / FRESH)]) == OK


def test_code_is_not_run_by_a_folders_word(tmp_path: Path, mistake: Mistake) -> None:
    (tmp_path / "tuning.toml").write_text(
        'trials = 3\nseeds = 1\nfresh_seeds = 5\ntogether = 4\nsearch = ["ppo.gamma"]\n'
        '[base]\nred_agent = "x.py:Mine"\n'
    )
    assert "not run by a folder's word" in mistake("tune", str(tmp_path))


def test_a_damaged_run_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x" / "trial-000-seed0").mkdir(parents=True)
    (tmp_path / "x" / "trial-000-seed0" / "config.json").write_text("{")
    (tmp_path / "x" / "tuning.toml").write_text(
        'trials = 3\nseeds = 1\nfresh_seeds = 5\ntogether = 4\nsearch = ["ppo.gamma"]\n[base]\n'
    )
    assert main(["tune", str(tmp_path / "x")]) != OK
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("error: ")
    assert "trial-000-seed0" in last


def test_a_run_that_fails_is_said_and_is_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--init-from", str(tmp_path / "nowhere"), "--log-dir", str(tmp_path), "--run-name", "x"]
    assert main(["tune", *ARGUMENTS, *arguments]) == FAILED
    err = capsys.readouterr().err
    assert "failed: trial-000-seed0: exit code 2: " in err
    assert "nothing is concluded while a run has failed" in err
    assert not (tmp_path / "x" / RECIPE).exists()


@pytest.mark.slow
@pytest.mark.timeout(4 * LONGEST_S)
def test_killed_twice_it_comes_to_the_same_recipe(tmp_path: Path) -> None:
    for name, num_kills in (("killed", 2), ("alone", 0)):
        for index in range(num_kills):
            with start(tmp_path, name) as process:
                wait_for_runs(tmp_path / "logs" / name, 2 * index + 1, process)
                process.send_signal(signal.SIGKILL)
        with start(tmp_path, name) as process:
            _, err = process.communicate(timeout=LONGEST_S)
        assert process.returncode == OK, err
    killed, alone = tmp_path / "logs" / "killed", tmp_path / "logs" / "alone"
    assert (killed / RECIPE).read_text() == (alone / RECIPE).read_text()
    assert digests(killed) == digests(alone)
    assert len(digests(alone)) >= 4


def start(tmp_path: Path, name: str) -> subprocess.Popen[str]:
    order = "enterprise -> op_server -> op_host -> user -> defender"
    options = ["--trials=4", "--together=2", "--workflow", order, "--run-name", name]
    tiny = ["--episodes-per-update=4", "--evaluation-episodes=8", "--compliance-threshold=0"]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "tune", *ARGUMENTS, *options, *tiny],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def wait_for_runs(folder: Path, num_runs: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many runs have learned something."""
    deadline_s = time.monotonic() + LONGEST_S
    while sum(path.read_bytes().count(b"\n") > 1 for path in folder.glob("*/training_log.csv")) < num_runs:
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def digests(folder: Path) -> dict[str, str]:
    return {str(path.parent.relative_to(folder)): read_json(path)["digest"] for path in folder.rglob("summary.json")}
