"""`run.py completion`: what a shell needs to complete this program's commands and options."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.cage2.mixed_env import MIXED
from pipeline.command.options import Parser, UsageError
from pipeline.command.process import OK

if TYPE_CHECKING:
    from collections.abc import Iterable

SHELLS: Final = ("bash", "zsh", "fish")
PROGRAM: Final = "cage2-pipeline"
"""The installed program's name: shells complete commands, not `python run.py`."""
DEFAULT: Final = "train"
OPTIONS: tuple[str, ...] = ()
DESCRIPTION = f"""\
Print a script by which a shell completes the commands and options of
{PROGRAM}, the installed program's name."""
EPILOG = f"""\
examples:
  mkdir -p ~/.local/share/bash-completion/completions
  {PROGRAM} completion bash > ~/.local/share/bash-completion/completions/{PROGRAM}
  mkdir -p ~/.zfunc                    # and in ~/.zshrc: fpath+=~/.zfunc
  {PROGRAM} completion zsh > ~/.zfunc/_{PROGRAM}
  mkdir -p ~/.config/fish/completions
  {PROGRAM} completion fish > ~/.config/fish/completions/{PROGRAM}.fish
"""
_FILES: Final = ("FILE", "RUN", "DIR", "AGENT", "EXPERIMENT")
"""What the placeholders of options and arguments begin with that are files or folders."""
_RED: Final = ("red_agent", "red_agents")
"""What takes the names of attackers; one's own, and several at a time, are to be typed."""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `completion` its argument."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("shell", metavar=f"{{{','.join(SHELLS)}}}")


def run(options: argparse.Namespace) -> int:
    """Print the script of a shell.

    Args:
        options: `shell`, and `commands`: all that there are, by name.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: There is no such shell.
    """
    if options.shell not in SHELLS:
        raise UsageError(f"completion {options.shell!r:.60}: choose of {', '.join(SHELLS)}")
    import shtab

    program = Parser(prog=PROGRAM)
    options.commands[DEFAULT].set_up(program)  # whose options need no command before them
    program.prog = PROGRAM
    _hint(program._actions)  # noqa: SLF001  # argparse has no other way to them
    commands = program.add_subparsers()
    for name, command in options.commands.items():
        parser = commands.add_parser(name, help=name)
        command.set_up(parser)
        parser.prog = f"{PROGRAM} {name}"  # which the default command's help changes
        _hint(parser._actions)  # noqa: SLF001
    sys.stdout.write(shtab.complete(program, options.shell) + "\n")
    return OK


def _hint(actions: Iterable[argparse.Action]) -> None:
    """Say which values are files, and which are one of a few."""
    import shtab

    for action in actions:
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        if action.dest in _RED:
            action.choices = [*RED_AGENTS, MIXED] if action.dest == "red_agent" else RED_AGENTS
        elif metavar.startswith("{") and metavar.endswith("}"):
            action.choices = metavar[1:-1].split(",")
        elif metavar.startswith(_FILES):
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
        if action.help:
            action.help = action.help.partition(" [")[0].split(". ")[0]  # a line of a menu is short
