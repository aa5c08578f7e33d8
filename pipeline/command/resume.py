"""`run.py resume`: go on with a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.command.options import add_options, given_options, make_config
from pipeline.command.terminal import add_display_options, run_to_end
from pipeline.config import SPEED_FIELDS, change_speed

if TYPE_CHECKING:
    import argparse

OPTIONS: tuple[str, ...] = SPEED_FIELDS


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `resume` its options."""
    parser.description = "Go on with a run that was stopped or killed, exactly where it was."
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder, e.g. logs/tuesday")
    add_options(parser, OPTIONS)
    add_display_options(parser)


def run(options: argparse.Namespace) -> int:
    """Train on from the last checkpoint.

    Returns:
        The exit code: 0, or 130 if the run was stopped.

    Raises:
        SetupError: There is no such run, an option doesn't fit, or its surroundings don't allow the run.
        PipelineError: The run failed.
    """
    from pipeline.persist.runs import read_config

    config = read_config(options.run)
    speed = given_options(options)
    make_config(change_speed(config, speed))

    from pipeline.run.pipeline import Pipeline  # torch takes seconds to import, and mistakes are told before

    return run_to_end(Pipeline.resume(options.run, **speed), options)
