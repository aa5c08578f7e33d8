from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.command.cli import main
from pipeline.command.process import OK
from pipeline.export.names import Form

if TYPE_CHECKING:
    from tests.pipeline.command.conftest import Mistake
    from tests.pipeline.conftest import MakeRun

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "the following arguments are required: RUN|CHECKPOINT, --to (see run.py export --help)"),
        ("logs/tuesday", "the following arguments are required: --to (see run.py export --help)"),
        ("nowhere --to x", "nowhere is not the folder of a run: it has no config.json. Give one like logs/tuesday"),
        ("nowhere --to x --format tf", "--format 'tf': choose of numpy, torch, onnx"),
        ("nowhere --to x --episodes 0", "--episodes '0': must be a whole number from 1 to 1000000"),
        ("nowhere --to x --workflow user", "--workflow 'user' is no workflow: write each of the 5 host types once"),
        ("nowhere --to x --tu y", "unknown option --tu: did you mean --to?"),
        ("nowhere --to /dev/null", "--to /dev/null is no folder, and nothing is overwritten: choose another"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: str, told: str, mistake: Mistake) -> None:
    assert mistake("export", *arguments.split()).startswith(told)


def test_nothing_is_overwritten(make_run: MakeRun, mistake: Mistake) -> None:
    run = make_run({3: 900})
    assert mistake("export", str(run), "--to", str(run)) == (
        f"--to {run} isn't empty, and nothing is overwritten: choose another, or empty it first"
    )
    assert mistake("export", str(run), "--to", "x", "--workflow", order_name(4)).startswith(f"{run} has no policy for")


def test_mistakes_are_told_before_anything_is_imported(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", str(ROOT / "run.py"), "export", "x", "--to", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pipeline.command.export" in imported
    assert not imported & {"torch", "numba", "rich", "structlog", "csle_cyborg", "gpytorch"}


@pytest.mark.parametrize("form", get_args(Form))
def test_a_policy_is_exported_with_the_numbers_of_its_evaluation(
    form: Form, make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, to = make_run({3: 900, 17: 100}, best=17), tmp_path / "agent"
    assert main(("export", str(run), "--to", str(to), "--format", form, "--episodes", "4")) == OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{to}: agent.py, {'policy.onnx' if form == 'onnx' else 'weights.'}")
    assert lines[1].startswith(f"policy of {run}: {order_name(17)} (the run's best: ")
    assert lines[2].startswith("total score: -")
    assert lines[3] == "compared with the run's policy: 10,000 steps, 0 actions different"

    assert main(("evaluate", str(run), "--greedy", "--episodes", "4", "--json")) == OK
    assert json.loads((to / "card.json").read_text())["evaluation"] == json.loads(capsys.readouterr().out)


def test_a_model_is_evaluated_to_the_same_as_numpy_code(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, told = make_run({3: 900}), {}
    for form in ("numpy", "onnx"):
        to = tmp_path / form
        assert main(("export", str(run), "--to", str(to), "--format", form, "--episodes", "1")) == OK
        capsys.readouterr()
        assert main(("evaluate", str(to), "--episodes", "2", "--workers", "1", "--json")) == OK
        told[form] = json.loads(capsys.readouterr().out)["scenarios"]
    assert told["onnx"] == told["numpy"]


def test_what_is_missing_is_told_before_work_is_done(monkeypatch: pytest.MonkeyPatch, mistake: Mistake) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    assert mistake("export", "nowhere", "--to", "x", "--format", "onnx") == (
        "--format onnx needs onnxruntime: pip install 'cage2-pipeline[onnx]'"
    )
    assert mistake("export", "nowhere", "--to", "x").startswith("nowhere is not the folder of a run")


def test_a_run_of_another_length_is_evaluated_with_that(make_run: MakeRun, tmp_path: Path) -> None:
    run, to = make_run({3: 900}, episode_steps=7), tmp_path / "agent"
    assert main(("export", str(run), "--to", str(to), "--episodes", "2")) == OK
    card = json.loads((to / "card.json").read_text())
    assert {each["steps"] for each in card["evaluation"]["scenarios"]} == {7}
    assert card["evaluation"]["total_score"] is None
    assert "No total score" in (to / "README.md").read_text()
