from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.command.process import OK
from pipeline.experiment.folder import EXPERIMENT, as_toml
from pipeline.experiment.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.pipeline.command.conftest import Mistake
    from tests.pipeline.conftest import EndedRun


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("compare nowhere", "nowhere is not the folder of a run"),
        ("compare", "the following arguments are required: RUN|EXPERIMENT"),
        ("compare x --thresholds=a", "--thresholds 'a': must be numbers, by commas"),
        ("compare x --thresholds=nan", "--thresholds 'nan': must be numbers, by commas"),
        ("compare x --window 0", "--window '0': must be a whole number from 1"),
        ("compare x --widnow 3", "unknown option --widnow: did you mean --window?"),
    ],
)
def test_mistakes(arguments: str, told: str, mistake: Mistake) -> None:
    assert mistake(*arguments.split()).startswith(told)


def test_runs_that_have_not_ended_are_no_comparison(ended_run: EndedRun, mistake: Mistake) -> None:
    run_dir = ended_run("a", -14.0, reason="stopped")
    assert mistake("compare", str(run_dir)).startswith("no run has ended, so there is nothing to compare: a: it was st")


def test_runs_made_by_hand_are_set_side_by_side(ended_run: EndedRun, capsys: pytest.CaptureFixture[str]) -> None:
    run_dirs = [str(ended_run(f"{beta}", -14.0 - beta, [-90, -40], gp_beta=beta)) for beta in (1, 3)]
    assert main(["compare", *run_dirs, "--thresholds=-50", "--window", "100"]) == OK
    out = capsys.readouterr().out
    assert "gp_beta=1.0" in out
    assert "-15.0 to -15.0" in out
    assert "fewer than 5 seeds" in out


def test_an_experiment_has_its_own_names_and_what_is_missing_is_said(
    ended_run: EndedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(5):
        ended_run(f"small-seed{seed}", -14.0 - seed, gp_beta=1.0, seed=seed)
    (tmp_path / EXPERIMENT).write_text(as_toml(Plan({"small": {"gp_beta": 1.0}, "large": {"gp_beta": 3.0}}, 5)))
    assert main(["compare", str(tmp_path), "--json"]) == OK
    captured = capsys.readouterr()
    (variant,) = json.loads(captured.out)["variants"]
    assert (variant["name"], variant["seeds"]) == ("small", [0, 1, 2, 3, 4])
    assert variant["greedy"]["interquartile_mean"]["estimate"] == -16.0
    assert "5 of 10 runs" in captured.err
    assert "have not begun" in captured.err
