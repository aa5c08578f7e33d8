"""What README and docs tell to type is there, and runs: a page's commands one after the other, made small.

A block with a title, ` ```sh title="on the second machine" `, needs what tests don't have: it is parsed, not run.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

from pipeline.command import cli
from pipeline.command.completion import PROGRAM
from pipeline.command.options import Parser, UsageError, given_options, make_config
from pipeline.command.process import OK
from tests.docs.pages import OPERATORS, PAGES, ROOT, Line, blocks_of, lines_of, mentions_in

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
RUN = ("--total-episodes", "16", "--episodes-per-update", "8", "--evaluation-episodes", "2", "--workers", "1")
SMALL: Final = {
    "train": (*RUN, "--quiet"),
    "resume": ("--total-episodes", "24", "--quiet"),
    "experiment": (*RUN, "--seeds", "1"),
    "evaluate": ("--episodes", "2"),
    "report": ("--episodes", "20"),
    "verify": ("--episodes", "1"),
    "replay": ("--no-browser",),
}
"""What is added to a page's own options of a command, for it not to take minutes: the last one given counts."""
FEWER: Final = {"--worst-of": "20"}
"""Options that are given another value, where a page has them."""
NOT_RUN = ("watch", "--watch", "tune", "--help")
"""Words of commands that are parsed alone: a page is served until Ctrl-C, a search is several runs at least. Benches
and examples are tested elsewhere, but for those that play for hours."""
READERS_RUN = "tuesday"
READERS_RUNS = re.compile(rf"{READERS_RUN}|wednesday|rates|first-\d+-\d+")
"""Runs that pages take to be there, unless they have made them before."""
READERS_FILES = {"my_agent.py": "examples/my_agent.py", "my_red.py": "examples/my_red.py"}
"""Files that pages take to be there, and what stands for them."""
OWN_FOLDERS = ("bench/", "docs/", "examples/", "tests/")
ORDER = "op_server -> enterprise -> user -> op_host -> defender"


class FoundError(Exception):
    """A program has come to parse its command line."""


def program_of(words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return which of the project's programs is called, `make` among them, and its arguments."""
    if PROGRAM in words:  # as it is called where it is installed
        return "run.py", list(words[words.index(PROGRAM) + 1 :])
    if words[0].endswith(("python", "python3")):
        words = words[1:]
    name, *arguments = words
    is_ours = name in ("run.py", "make") or re.fullmatch(r"(bench|examples)/\w+\.py", name)
    return (name, arguments) if is_ours else None


@cache
def parser_of(script: str) -> argparse.ArgumentParser:
    """Return the parser that a script makes."""
    found: list[argparse.ArgumentParser] = []

    def parse_args(parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        found.append(parser)
        raise FoundError

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "bench")
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
        patch.setattr(sys, "argv", [script])
        with pytest.raises(FoundError):
            runpy.run_path(str(ROOT / script), run_name="__main__")
    return found[0]


def command_of(arguments: list[str]) -> tuple[str, Parser, list[str]]:
    """Return the name of a command of run.py's, its parser, and what is left of its arguments."""
    name, *rest = cli._with_command(arguments)
    parser = Parser(prog=f"run.py {name}")
    cli.COMMANDS[name].set_up(parser)
    return name, parser, rest


def parse(program: str, arguments: list[str]) -> None:
    """Parse a command line by its program's own parser, configuration values with their own checks."""
    if program == "make":
        assert set(arguments) <= targets(), arguments
    elif program != "run.py":
        if arguments:
            parser_of(program).parse_args(arguments)
    else:
        _, parser, rest = command_of(arguments)
        if rest == ["--help"]:
            return
        options, unknown = parser.parse_known_args(rest)
        assert not unknown
        file = getattr(options, "config", None)
        make_config(given_options(options), None if file and file.is_relative_to("logs") else file)  # a run's is made


def options_of(program: str, arguments: list[str]) -> set[str]:
    """Return the options that a program takes, or a command of run.py's."""
    parser = command_of([word for word in arguments if word != "..."])[1] if program == "run.py" else parser_of(program)
    return set(parser._option_string_actions)


def targets() -> set[str]:
    return set(re.findall(r"(?m)^([\w-]+):", (ROOT / "Makefile").read_text()))


def runs_of_the_reader(lines: Sequence[Line]) -> set[str]:
    """Return the names of the runs that the commands need and don't make themselves."""
    made, needed = set(), set()
    for words in [line.words for line in lines]:
        needed |= {match[1] for word in words if (match := re.match(r"logs/([\w.-]+)", word))} - made
        made |= {name for option, name in pairwise(words) if option == "--run-name"}
    return needed


def commands_of(name: str) -> list[Line]:
    return [line for block in blocks_of((ROOT / name).read_text()) for line in lines_of(block)]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_understood(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options and their values; and the files that it names are there."""
    monkeypatch.chdir(ROOT)
    for line in (lines := commands_of(name)):
        words = line.words
        try:
            if program := program_of(words):
                parse(*program)
        except (AssertionError, UsageError, SystemExit) as error:
            pytest.fail(f"{name}:{line.number}: {line.text}: {error!r}")
        for word in words:
            file = word.partition(":")[0]
            assert not file.startswith(OWN_FOLDERS) or Path(file).exists(), f"{name}:{line.number}: {file}"
    assert all(map(READERS_RUNS.fullmatch, runs_of_the_reader(lines)))


@pytest.mark.parametrize("name", NAMES)
def test_every_mention_is_of_something_that_is_there(name: str) -> None:
    """Words in capitals stand for others, so that options alone are looked at, and not their values."""
    for words in mentions_in((ROOT / name).read_text()):
        program, arguments = program_of(words) or pytest.fail(f"{name}: {words}")
        options = {word.partition("=")[0] for word in arguments if word.startswith("--")}
        if program == "make":
            assert set(arguments) <= targets(), f"{name}: {words}"
        elif program == "run.py" or options:
            assert options <= options_of(program, arguments), f"{name}: {words}"
        else:
            assert (ROOT / program).exists(), f"{name}: {words}"


@pytest.fixture(scope="module")
def readers_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    command = ("--log-dir", str(folder), "--run-name", READERS_RUN, "--workflow", ORDER, *SMALL["train"])
    assert cli.main(command) == OK
    return folder / READERS_RUN


@pytest.mark.timeout(300)  # some thirty commands for the longest
@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_page_run(
    name: str, readers_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a folder of their own, in which what the page takes to be there is: made small by `SMALL`."""
    lines = [line for line in commands_of(name) if line.title is None]
    for link, target in {".venv": sys.prefix, **{each: str(ROOT / each) for each in ("run.py", "examples")}}.items():
        (tmp_path / link).symlink_to(target)
    for file, stands_for_it in READERS_FILES.items():
        shutil.copy(ROOT / stands_for_it, tmp_path / file)
    for run in runs_of_the_reader(lines):
        shutil.copytree(readers_run, tmp_path / "logs" / run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for line in lines:
        code = run_small(line)
        told = capfd.readouterr()
        assert (code != OK) == bool(line.error), f"{name}:{line.number}: {line.text}\n{told.out}{told.err}"
        assert line.error in told.err


def run_small(line: Line) -> int:
    """Run a command line, unless that is for other tests, and return its exit code."""
    words = line.words
    program, arguments = program_of(words) or (None, [])
    if program is None or any(word and set(word) <= set(OPERATORS) for word in words):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
        return subprocess.run(["/bin/sh", "-c", line.text], env=env, check=False).returncode
    if program != "run.py" or set(NOT_RUN) & set(arguments):
        return OK
    arguments = [FEWER.get(before, each) for before, each in pairwise(["", *arguments])]
    return cli.main([*arguments, *SMALL.get(command_of(arguments)[0], ())])
