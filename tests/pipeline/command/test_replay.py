from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.command.process import FAILED, OK

if TYPE_CHECKING:
    from tests.pipeline.command.conftest import Mistake
    from tests.pipeline.conftest import MakeRun

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "the following arguments are required: AGENT"),
        ("nowhere", "there is no run 'nowhere': give one like logs/tuesday"),
        ("sleep --episode x", "--episode 'x': must be a whole number from 0 to 1000000"),
        ("sleep --worst-of 0", "--worst-of '0': must be a whole number from 1"),
        ("sleep --episode 1 --worst-of 9", "argument --worst-of: not allowed with argument --episode"),
        ("sleep --update 3", "--update is for runs: leave it out, sleep has none"),
        ("sleep --visit 3", "--visit is for runs: leave it out, sleep has none"),
        ("sleep --row 3", "--row goes with --update, whose batch it is a row of"),
        ("sleep --steps 1001", "--steps '1001': must be a whole number from 1 to 1000"),
        ("sleep --greedy", "--greedy is for policies: leave it out, sleep has no use for it"),
        ("sleep --red-agent Mixed", "--red-agent Mixed: an episode of an evaluation has one"),
        ("sleep --fork x", "--fork 'x': must be a whole number from 1 to 1000"),
        ("sleep --step-timeout 3", "--step-timeout is for agents of your own"),
        ("sleep --worst", "unknown option --worst: did you mean --worst-of?"),
        ("games.jsonl", "can't read games.jsonl: No such file or directory"),
        ("games.jsonl --seed 3", "--seed has no say in a file of traces, which tells it: leave it out"),
        ("games.jsonl --greedy", "--greedy has no say in a file of traces"),
        ("sleep --steps 3 --fork 4:Sleep --no-browser", "--fork 4: the episode has 3 steps"),
    ],
)
def test_a_mistake_is_told_in_one_line(arguments: str, told: str, mistake: Mistake) -> None:
    assert mistake("replay", *arguments.split()).startswith(told)


def test_what_a_run_has_played_is_not_changed(make_run: MakeRun, mistake: Mistake) -> None:
    run = str(make_run({3: 900}))
    for options, told in (
        (("--update", "0", "--seed", "3"), "--seed doesn't go with --update: leave one of them out"),
        (("--visit", "0", "--steps", "3"), "--steps doesn't go with --visit: leave one of them out"),
        (("--update", "0", "--visit", "3"), "--visit doesn't go with --update: leave one of them out"),
    ):
        assert mistake("replay", run, *options) == told


def test_help_and_mistakes_come_before_anything_is_imported(tmp_path: Path) -> None:
    for arguments in (["--help"], ["randon"]):
        command = [sys.executable, "-X", "importtime", str(ROOT / "run.py"), "replay", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path)
        imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
        assert "pipeline.command.replay" in imported
        assert not imported & {"torch", "numba", "rich", "structlog", "csle_cyborg", "gpytorch", "PIL"}
        if arguments == ["--help"]:
            assert "numpy" not in imported


def test_a_page_and_an_animation_are_written_once(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    run, page, film = str(make_run({17: 100}, best=17)), tmp_path / "a.html", tmp_path / "a.gif"
    asked = ("replay", run, "--steps", "8", "--worst-of", "20", "--fork", "3:Sleep", "--fork", "5")
    assert main((*asked, "--html", str(page), "--gif", str(film))) == OK
    out, err = capsys.readouterr()
    assert out == f"{film}\n{page}\n"
    assert "note: playing 2 x 2 x 1,000 futures" in err
    assert film.read_bytes().startswith(b"GIF89a")
    first = page.read_text()
    assert "The worst of 20" in first
    assert first.count('"difference_stderr":') == 2
    assert main((*asked, "--html", str(page))) != OK
    assert "exists already, and nothing is overwritten" in capsys.readouterr().err
    page.unlink()
    assert main((*asked, "--html", str(page))) == OK
    assert page.read_text() == first


def test_without_a_form_it_is_a_temporary_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    for screen, num_opened in (("", 0), (":0", 1)):
        monkeypatch.setenv("DISPLAY", screen)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        assert main(("replay", "restore", "--steps", "5")) == OK
        path = Path(capsys.readouterr().out.removesuffix("\n"))
        assert path.parent == tmp_path
        assert path.read_text().startswith("<!doctype html>")
        assert len(opened) == num_opened
    assert opened == [path.as_uri()]
    assert main(("replay", "restore", "--steps", "5", "--no-browser")) == OK
    assert len(opened) == 1


def test_in_the_terminal_and_of_a_file_of_traces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "games.jsonl"
    assert main(("trace", "restore", "--steps", "9", "--episodes", "5", "--to", str(path))) == OK
    capsys.readouterr()
    assert main(("replay", str(path), "--ansi", "--episode", "3")) == OK
    of_file = capsys.readouterr().out
    assert main(("replay", "restore", "--steps", "9", "--ansi", "--episode", "3")) == OK
    of_agent = capsys.readouterr().out
    assert re.sub("^.*\n", "", of_file) == re.sub("^.*\n", "", of_agent)
    assert "Step 9 of 9, reward" in of_agent
    path.write_bytes(path.read_bytes()[:-5])
    assert main(("replay", str(path), "--worst-of", "--ansi")) != OK
    assert "line 6: cut off" in capsys.readouterr().err


def test_an_attacker_is_code_and_not_run_by_a_folders_word(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    red = tmp_path / "red.py"
    red.write_text("raise RuntimeError('it was run')")
    folder = make_run({3: 900}, red_agent=f"{red}:Red")
    assert main(("replay", str(folder), "--steps", "3")) not in (OK, FAILED)
    assert "is code, and not run by a folder's word" in capsys.readouterr().err
    assert main(("replay", str(folder), "--steps", "3", "--ansi", "--red-agent", "B_lineAgent")) == OK
