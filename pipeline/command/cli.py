"""The command line: `train` (the default), `resume`, `evaluate`, ... `doctor`, each in a module of its name."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Final, Protocol

from native_buffers.errors import NativeBufferError, SharedMemoryFull
from pipeline.command import (
    compare,
    completion,
    doctor,
    evaluate,
    experiment,
    export,
    replay,
    report,
    resume,
    trace,
    train,
    tune,
    verify,
    watch,
)
from pipeline.command.options import Parser, UsageError, unknown_argument
from pipeline.command.process import FAILED, INTERRUPTED, USAGE
from pipeline.command.terminal import tell
from pipeline.errors import PipelineError, SetupError
from pipeline.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence


class Command(Protocol):
    """What the module of a command has."""

    OPTIONS: tuple[str, ...]
    """Names of its options, for who mistypes one."""

    def set_up(self, parser: argparse.ArgumentParser) -> None:
        """Give the command's parser its help and options."""
        ...

    def run(self, options: argparse.Namespace) -> int:
        """Do what the options ask for, and return the exit code."""
        ...


COMMANDS: Final[Mapping[str, Command]] = {
    "train": train,
    "resume": resume,
    "experiment": experiment,
    "tune": tune,
    "compare": compare,
    "evaluate": evaluate,
    "trace": trace,
    "replay": replay,
    "export": export,
    "watch": watch,
    "report": report,
    "verify": verify,
    "doctor": doctor,
    "completion": completion,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: Its arguments; the process's own by default.

    Returns:
        The exit code: 0 done, 1 the run failed, 2 a mistake in the command or its surroundings, 130 interrupted.
    """
    try:
        name, *arguments = _with_command(list(sys.argv[1:] if argv is None else argv))
        command = COMMANDS[name]
        parser = Parser(prog=f"run.py {name}")
        command.set_up(parser)
        parser.set_defaults(commands=COMMANDS)  # which one of them tells the shell about
        options, unknown = parser.parse_known_args(arguments)
        if unknown:
            raise unknown_argument(unknown[0], command.OPTIONS)
        return command.run(options)
    except (SetupError, SharedMemoryFull) as error:
        tell(f"error: {printable(str(error))}")
        return USAGE
    except (PipelineError, NativeBufferError, OSError) as error:
        tell("error: " + "\n".join(map(printable, str(error).split("\n"))))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _with_command(arguments: list[str]) -> list[str]:
    """Put `train` in front unless a command is there."""
    if arguments and arguments[0] in COMMANDS:
        return arguments
    if arguments and not arguments[0].startswith("-"):
        *names, last = COMMANDS
        near = difflib.get_close_matches(arguments[0], COMMANDS, n=1)
        advice = f"did you mean {near[0]}?" if near else f"choose {', '.join(names)} or {last} (see run.py --help)"
        raise UsageError(f"unknown command {arguments[0]!r:.60}: {advice}")
    return ["train", *arguments]


if __name__ == "__main__":  # an experiment's runs
    raise SystemExit(main())
