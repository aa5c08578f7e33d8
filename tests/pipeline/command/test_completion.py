from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.command.cli import COMMANDS, main
from pipeline.command.completion import SHELLS
from pipeline.command.process import OK, USAGE

ROOT = Path(__file__).parents[3]
COMPLETE = """
source /dev/stdin
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
eval "$(complete -p cage2-pipeline | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when somebody asks for more of a line."""


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == OK
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["re"], {"resume", "replay", "report"}),
        (["train", "--concurrent-v"], {"--concurrent-visits"}),
        (["--concurrent-v"], {"--concurrent-visits"}),
        (["train", "--ppo.learning"], {"--ppo.learning-rate"}),
        (["train", "--engine", ""], {"fast", "cyborg"}),
        (["train", "--red-agent", ""], {"B_lineAgent", "RedMeanderAgent", "SleepAgent", "Mixed"}),
        (["--red-agent", "M"], {"Mixed"}),
        (["evaluate", "--red-agents", "R"], {"RedMeanderAgent"}),
        (["evaluate", "READ"], {"README.md"}),
        (["report", "--episodes", "10", "READ"], {"README.md"}),
    ],
)
def test_bash_completes(typed: list[str], completed: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bash", "-c", COMPLETE, "bash", "cage2-pipeline", *typed]
    done = subprocess.run(
        command, input=script("bash", capsys), capture_output=True, text=True, check=True, timeout=30, cwd=ROOT
    )
    assert set(done.stdout.split()) == completed


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_of_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    assert all(name in text for name in COMMANDS)
    if shutil.which(shell):
        check = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, check=False, timeout=30)
        assert (check.returncode, check.stderr) == (0, "")


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "csh"]) == USAGE
    assert capsys.readouterr().err == "error: completion 'csh': choose of bash, zsh, fish\n"
