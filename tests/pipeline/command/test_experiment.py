from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.command.process import FAILED, OK
from pipeline.experiment.folder import EXPERIMENT, read_plan

if TYPE_CHECKING:
    from tests.pipeline.command.conftest import Mistake
    from tests.pipeline.conftest import EndedRun

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--seeds 0", "--seeds '0': must be a whole number from 1 to 1000"),
        ("--jobs 0", "--jobs '0': must be a whole number from 1 to 1000"),
        ("--vray gp-beta=1,2", "unknown option --vray: did you mean --vary?"),
        ("--vary ppo.learning-rate=1e-3,5", "--ppo.learning-rate 5: must be less than or equal to 1"),
        ("--vary workers=1,2", "variants workers-1 and workers-2 are the same run"),
        ("--red-agent Blin", "--red-agent Blin: must be B_lineAgent"),
        ("nowhere.toml", "experiment nowhere.toml: No such file or directory"),
        ("--thresholds=x", "--thresholds 'x': must be numbers"),
    ],
)
def test_mistakes_are_told_before_anything_runs(arguments: str, told: str, mistake: Mistake) -> None:
    assert mistake("experiment", *arguments.split()).startswith(told)
    assert not Path("logs").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sedes = 3", "x.toml: unknown key 'sedes': did you mean seeds?"),
        ("total_episodes = 3", "x.toml: unknown key 'total_episodes': what all runs share stands under [base]"),
        ('seeds = "3"', "x.toml: seeds = '3': must be a whole number"),
        ("stop_hopeless = 1", "x.toml: stop_hopeless = 1: must be true or false"),
        ("seeds = 0", "0 seeds: must be from 1 to 1000"),
        ("base = 3", "x.toml: base must be a table, [base]"),
        ('[base]\ntotal_episodes = "100"', "x.toml: total_episodes = '100': must be a whole number, without quotes"),
        ("[base]\ntotal_episode = 100", "x.toml: unknown key 'total_episode'; did you mean 'total_episodes'?"),
        ("[vary]\nppo.gamma = [0.9, 7]", "x.toml: ppo.gamma 7: must be less than or equal to 1"),
    ],
)
def test_mistakes_in_a_file(text: str, told: str, mistake: Mistake) -> None:
    Path("x.toml").write_text(text)
    assert mistake("experiment", "x.toml").startswith(told)
    assert not Path("logs").exists()


def test_help_imports_nothing_that_takes_time() -> None:
    code = (
        "import sys; from pipeline.command.cli import main\n"
        "for command in ('experiment', 'compare'):\n"
        "    try: main([command, '--help'])\n"
        "    except SystemExit: pass\n"
        "assert not {'numpy', 'torch', 'scipy'} & sys.modules.keys()"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "--stop-hopeless" in result.stdout
    assert "--thresholds" in result.stdout


def test_what_has_ended_is_kept_and_compared(
    ended_run: EndedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file, an experiment in which nothing is left to do, the folder itself: all the same."""
    file = tmp_path / "rates.toml"
    file.write_text(
        "seeds = 2\n[base]\ntotal_episodes = 64\n[variants.small]\ngp_beta = 1\n[variants.large]\ngp_beta = 3\n"
    )
    folder = tmp_path / "rates"
    arguments = ["--log-dir", str(tmp_path)]
    for name, beta in (("small", 1.0), ("large", 3.0)):
        for seed in range(2):
            ended_run(f"{name}-seed{seed}", -14.0 - beta, log_dir=folder, total_episodes=64, gp_beta=beta, seed=seed)
    (folder / EXPERIMENT).write_text(
        "seeds = 2\nstop_hopeless = false\n[variants.small]\ntotal_episodes = 64\ngp_beta = 1.0\n"
        "[variants.large]\ntotal_episodes = 64\ngp_beta = 3.0\n"
    )
    assert main(["experiment", str(file), *arguments]) == OK
    first = capsys.readouterr()
    assert "small-seed0: greedy -15.0, sampled -16.0, compliance 0.95" in first.err
    assert "(4 of 4 have ended)" in first.err
    assert "-17.0 to -17.0" in first.out
    assert main(["experiment", str(folder)]) == OK
    assert capsys.readouterr().out == first.out
    assert read_plan(folder).num_seeds == 2


def test_another_plan_in_the_same_folder_is_refused(tmp_path: Path, mistake: Mistake) -> None:
    (tmp_path / EXPERIMENT).write_text("seeds = 2\nstop_hopeless = false\n[variants.base]\n")
    told = mistake("experiment", str(tmp_path), "--seeds", "3")
    assert told.startswith(f"{tmp_path} holds another experiment: of 2 seeds, not 3. Choose another --run-name")


def test_code_is_not_run_by_a_folders_word(tmp_path: Path, mistake: Mistake) -> None:
    (tmp_path / EXPERIMENT).write_text(
        'seeds = 1\nstop_hopeless = false\n[variants.base]\nred_agent = "my_red.py:Mine"\n'
    )
    assert "not run by a folder's word" in mistake("experiment", str(tmp_path))


def test_a_run_that_fails_is_said_and_is_an_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--seeds", "1", "--init-from", str(tmp_path / "nowhere"), "--log-dir", str(tmp_path)]
    assert main(["experiment", *arguments, "--run-name", "x"]) == FAILED
    err = capsys.readouterr().err
    assert "failed: base-seed0: exit code 2: " in err
    assert "nowhere" in err
