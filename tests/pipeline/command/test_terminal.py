from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.command import terminal
from pipeline.command.cli import main
from pipeline.command.process import INTERRUPTED, OK

ROOT = Path(__file__).parents[3]
TRAIN = (
    "--collector=sequential",
    "--total-episodes=16",
    "--episodes-per-update=8",
    "--max-episodes-per-workflow=8",
    "--finals-share=0",
)


def test_notes_are_json_among_json(capsys: pytest.CaptureFixture[str]) -> None:
    terminal._noter(as_json=True)("two\nlines")
    terminal._noter(as_json=False)("two\nlines")
    told, plain = capsys.readouterr().err.splitlines()
    assert json.loads(told)["text"] == "two\nlines"
    assert plain == r"note: two\nlines"


@pytest.mark.parametrize("name", ["tuesday", "[red]", "long" * 60])
def test_a_run_is_summed_up_whatever_its_folder_is_called(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stdout nothing else is printed, no markup is understood, and no line is broken where the terminal ends."""
    assert main((*TRAIN, "--log-dir", str(tmp_path / name), "--run-name", "run", "--quiet")) == OK
    out, err = capsys.readouterr()
    first, best, digest, record = out.splitlines()
    assert first.startswith("done (the episode budget is used): 16 episodes, 2 updates, ")
    assert best.startswith("best workflow: none, for no workflow has reached")
    assert re.fullmatch("digest: [0-9a-f]{64}", digest)
    assert record == f"record: {tmp_path / name / 'run'}"
    assert err == ""


def test_a_run_that_had_ended_is_not_said_to_be_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main((*TRAIN, "--log-dir", str(tmp_path), "--run-name", "run", "--quiet")) == OK
    done = capsys.readouterr().out.splitlines()
    assert main(("resume", str(tmp_path / "run"), "--quiet")) == OK
    told = capsys.readouterr().out.splitlines()
    assert done[0].startswith("done (the episode budget is used)")
    assert told[0].startswith("this run had ended already (the episode budget is used), with 16 episodes and 2 updates")
    assert told[1].partition(". ")[0] == done[1].partition(". ")[0].removesuffix(".")
    assert told[2:] == done[2:]


@pytest.mark.parametrize("width", [80, 40])
def test_a_summary_is_broken_between_words_on_a_terminal_and_nowhere_else(width: int) -> None:
    lines = {
        "best workflow: none yet, for no workflow has reached the compliance threshold of 0.95, of 41 tried": True,
        f"record: logs/{'a folder ' * 20}/run": False,
        f"go on with: python run.py resume {'logs/' * 30}run": False,
        f"digest: {'0f' * 32}": False,
        f"no spaces: {'x' * 100}": True,
    }
    for is_terminal in (True, False):
        for line, may_be_broken in lines.items():
            stream = io.StringIO()
            terminal._print_line(Console(file=stream, width=width, force_terminal=is_terminal, color_system=None), line)
            printed = stream.getvalue().splitlines()
            assert " ".join(part.strip() for part in printed) == line
            assert (len(printed) > 1) == (is_terminal and may_be_broken)


def test_every_update_is_a_line_if_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main((*TRAIN, "--workers", "3", "--log-dir", str(tmp_path), "--verbose")) == OK
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("note: --collector sequential plays one episode after the other")
    assert len([line for line in lines if " episodes: workflow " in line]) == 2  # of two visits


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_without_kept_machine_code_says_that_it_is_made(tmp_path: Path) -> None:
    command = [sys.executable, "run.py", "--total-episodes=8", "--episodes-per-update=8", "--log-dir", str(tmp_path)]
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "code")}
    first, second = (
        subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True).stderr for _ in range(2)
    )
    assert "compiling, once: 0 s of some 20 s" in first
    assert first.count("compiling") >= 2
    assert "compiling" not in second


def test_lines_are_json_if_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main((*TRAIN, "--workers", "3", "--log-dir", str(tmp_path), "--json-logs")) == OK
    first, *others = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["event"] == "note"
    assert others[0]["event"] == "run_started"
    assert others[-1]["event"] == "run_finished"


def test_a_run_whose_standard_input_has_ended_does_not_begin(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "run.py"), *TRAIN, "--end-with-stdin", f"--log-dir={tmp_path / 'logs'}"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=100)
    assert result.returncode == INTERRUPTED
    assert not (tmp_path / "logs").exists()
