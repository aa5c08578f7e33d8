"""`run.py resume`: go on with a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.command.options import add_options, given_options, make_config
from pipeline.command.process import imports_for_good
from pipeline.command.terminal import add_display_options, run_to_end
from pipeline.values import SPEED_FIELDS, change_speed

OPTIONS: tuple[str, ...] = ("total_episodes", "red_agent", *SPEED_FIELDS)


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `resume` its options."""
    parser.usage = "run.py resume RUN [OPTION ...]"
    parser.description = "Go on with a run that was stopped or killed, exactly where it was."
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder, e.g. logs/tuesday")
    parser.add_argument(
        "--total-episodes",
        metavar="N",
        default=argparse.SUPPRESS,
        help="a larger budget, for a run that has used its own up. From there on it is a run of N episodes: with "
        "--workflow or --policy shared the learning rate, which had come to its end, is again what it is there in a "
        "run of N, and a shared policy's rounds are a tenth of N; with a policy per workflow rates follow each one's "
        "cap, as before",
    )
    parser.add_argument(
        "--red-agent",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help="the run's own once more: needed if that is code, module:Name or path/to/file.py:Name, which is not run "
        "by a folder's word",
    )
    add_options(parser, SPEED_FIELDS)
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
    changes = given_options(options)
    red_agent = changes.pop("red_agent", None)
    total_episodes = make_config(change_speed(config, changes)).total_episodes
    changes.pop("total_episodes", None)

    with imports_for_good():
        from pipeline import Pipeline  # torch takes seconds to import, and mistakes are told before

    return run_to_end(Pipeline.resume(options.run, total_episodes, red_agent, **changes), options)
