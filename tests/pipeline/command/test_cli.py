from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from native_buffers.errors import SegmentMissing, SharedMemoryFull
from pipeline.command.cli import main
from pipeline.command.options import FIELDS
from pipeline.command.process import FAILED, INTERRUPTED, OK, USAGE
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from conftest import Mistake


pytestmark = pytest.mark.usefixtures("in_an_empty_folder")

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            "--red-agent Nobody",
            "--red-agent Nobody: must be B_lineAgent, RedMeanderAgent, SleepAgent or Mixed, or your own",
        ),
        ("--workers 0", "--workers 0: must be greater than or equal to 1"),
        ("--workers -1", "--workers -1: must be greater than or equal to 1"),
        ("--workers x", "--workers x: must be a valid integer"),
        ("--workers", "argument --workers: expected one argument (see run.py --help)"),
        ("--workers 2 --slots 1", "1 slots can't keep 2 workers busy: give at least 2, or leave --slots out"),
        ("--workerz 2", "unknown option --workerz: did you mean --workers?"),
        ("--worker 2", "unknown option --worker: did you mean --workers?"),
        ("--nothing-like-it", "unknown option --nothing-like-it: see run.py --help"),
        ("train 2", "unexpected argument '2' (see run.py --help)"),
        ("--workflow enterprise - ", "unexpected '-': an order is one argument. Put it into quotes, else the shell"),
        ("trayn", "unknown command 'trayn': did you mean train?"),
        ("zzz", "unknown command 'zzz': choose train, resume, experiment, tune, compare, evaluate, "),
        ("--run-name a/b", "--run-name a/b: doesn't fit. Name of the run's folder"),
        ("--run-name ../a", "--run-name ../a: doesn't fit. Name of the run's folder"),
        ("--run-name /a", "--run-name /a: doesn't fit. Name of the run's folder"),
        ("--quiet --verbose", "argument --verbose: not allowed with argument --quiet (see run.py --help)"),
        ("--config none.toml", "--config none.toml: No such file or directory"),
        ("--config .", "--config .: Is a directory"),
        ("resume", "the following arguments are required: RUN (see run.py resume --help)"),
        ("resume nowhere", "nowhere is not the folder of a run: it has no config.json. Give one like logs/tuesday"),
        ("resume .", ". is not the folder of a run"),
        ("resume /dev/null", "/dev/null is not the folder of a run"),
        (
            "resume x --seed 3",
            "--seed can't change when a run is resumed, only --total-episodes, --red-agent, --workers",
        ),
        ("doctor --workers 0", "--workers 0: must be greater than or equal to 1"),
        ("doctor --quiet", "unknown option --quiet"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: str, told: str, mistake: Mistake) -> None:
    assert mistake(*arguments.split()).startswith(told)


def test_nothing_that_is_given_breaks_the_line(mistake: Mistake) -> None:
    assert mistake("--config", "a\nb\x1b[2J") == r"--config a\nb\x1b[2J: No such file or directory"
    assert mistake("a\nb").startswith(r"unknown command 'a\nb'")
    assert mistake("--log-dir", "/proc/\u2028") == (
        r"can't make a folder in --log-dir /proc/\u2028: No such file or directory. Choose another"
    )
    assert mistake("--log-dir", os.fsdecode(b"\xff")).endswith("must be a path in UTF-8, without NUL")


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (SharedMemoryFull(3, 2, 2), USAGE, "error: shared memory is full"),
        (SegmentMissing("x"), FAILED, "error: there is no shared memory segment 'x'"),
        (PipelineError("an episode failed:\n  trace"), FAILED, "error: an episode failed:\n  trace\n"),
        (OSError(28, "No space left on device"), FAILED, "error: [Errno 28] No space left on device\n"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
    ],
)
def test_the_exit_code_says_whose_fault_it_is(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("pipeline.command.doctor.describe_machine", fail)
    assert main(["doctor"]) == code
    assert capsys.readouterr().err.startswith(told)


def run_py(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *python, str(ROOT / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_help_comes_at_once(tmp_path: Path) -> None:
    done = run_py("--help", python=("-X", "importtime"))
    assert done.returncode == OK
    assert done.stdout.startswith("usage: run.py [train] [OPTION ...]\n       run.py resume RUN [OPTION ...]\n")
    for name in FIELDS:
        assert f"--{name.replace('_', '-')}" in done.stdout
    for text in ("commands (each has", "examples:", "Ctrl-C", "[0.95]", "--json-logs"):
        assert text in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert not imported & {"numpy", "torch", "numba", "rich", "structlog", "csle_cyborg", "gpytorch", "uvloop"}
    assert not list(tmp_path.iterdir())


def test_a_mistake_costs_no_time_and_no_traceback(tmp_path: Path) -> None:
    done = run_py("--red-agent", "Nobody", python=("-X", "importtime"))
    *imports, told = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert told.startswith("error: --red-agent Nobody: must be B_lineAgent, RedMeanderAgent, SleepAgent or Mixed, or")
    assert not [line for line in imports if line.rpartition("|")[2].strip() in {"torch", "numba"}]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [["-h"], ["train", "--help"], ["resume", "-h"], ["evaluate", "-h"], ["export", "-h"], ["doctor", "--help"]],
)
def test_every_command_has_help_that_fits_a_terminal(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == OK
    out = capsys.readouterr().out
    assert out.startswith("usage: run.py")
    assert max(map(len, out.splitlines())) <= 80
