"""`run.py [train]`: a new run. It is what is done by default, so its help is the whole program's."""

from __future__ import annotations

import argparse
from typing import Final

from pipeline.command.options import FIELDS, add_file_option, add_options, given_options, make_config
from pipeline.command.process import imports_for_good
from pipeline.command.terminal import add_display_options, run_to_end

OPTIONS: tuple[str, ...] = tuple(FIELDS)
_USAGE: Final = """\
run.py [train] [OPTION ...]
       run.py resume RUN [OPTION ...]
       run.py experiment [FILE.toml|EXPERIMENT] [OPTION ...]
       run.py compare RUN|EXPERIMENT ... [OPTION ...]
       run.py evaluate RUN|CHECKPOINT|random|sleep|restore [OPTION ...]
       run.py trace RUN|CHECKPOINT|random|sleep|restore [OPTION ...]
       run.py export RUN|CHECKPOINT --to DIR [OPTION ...]
       run.py watch [RUN ...] [OPTION ...]
       run.py replay RUN|CHECKPOINT|AGENT|TRACE.jsonl [OPTION ...]
       run.py report RUN ... [-o FILE] [OPTION ...]
       run.py verify RUN|CHECKPOINT|random|sleep|restore [OPTION ...]
       run.py doctor [OPTION ...]
       run.py completion bash|zsh|fish"""
_GUIDE: Final = """\
commands (each has a --help of its own):
  train     start a run; `run.py --workers 2` is `run.py train --workers 2`
  resume    go on with a run that was stopped or killed, exactly where it was,
            or with a larger budget
  experiment
            train variants with several seeds each, side by side, as one
  compare   compare runs over their seeds, with intervals
  evaluate  play a run's policy, or an agent to compare it with, as CAGE-2 does
  trace     show an episode step by step, or write it down
  export    write a run's policy to a folder that needs NumPy alone, or torch,
            or onnxruntime
  watch     show runs as a page in a browser: curves, the map of orders, and
            runs side by side, while they go on or later
  replay    look at an episode, step by step, in a browser or a terminal
  report    write what runs have found to one page that can be mailed
  verify    play episodes on CybORG and on the engine, and compare them to the
            bit
  doctor    say what is installed and missing, what the machine grants, what a
            run would allocate, and what to mend
  completion
            what a shell needs to complete commands and options

examples:
  python run.py --total-episodes 2000 --red-agent RedMeanderAgent
  python run.py --red-agent B_lineAgent,my_red.py:Mine
  python run.py --config my.toml --workers 8 --run-name tuesday
  python run.py --recipe thorough --ppo.learning-rate 3e-4
  python run.py --init-from logs/tuesday --profile leaderboard
  python run.py resume logs/tuesday
  python run.py experiment --seeds 5 --vary ppo.learning-rate=1e-3,3e-4
  python run.py compare logs/rates
  python run.py evaluate logs/tuesday
  python run.py trace logs/tuesday --episode 417
  python run.py export logs/tuesday --to defender
  python run.py watch
  python run.py replay logs/tuesday --worst-of 1000
  python run.py report logs/tuesday -o tuesday.html
  python run.py verify logs/tuesday
  python run.py doctor --workers 100

A file has the same names with underscores, and a table for PPO's:
  recipe = "thorough"
  [ppo]
  learning_rate = 3e-4

Ctrl-C ends a run after the update in progress (an evaluation at once), a
second Ctrl-C at once; either way `resume` goes on exactly.
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `train` its options, and the program's help."""
    parser.prog, parser.usage = "run.py", _USAGE
    parser.description = "Train defenders for CAGE Challenge 2 and search the 120 workflows for the best."
    parser.epilog = _GUIDE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_file_option(parser)
    add_options(parser, OPTIONS)
    add_display_options(parser)


def run(options: argparse.Namespace) -> int:
    """Train from the beginning.

    Returns:
        The exit code: 0, or 130 if the run was stopped.

    Raises:
        SetupError: An option doesn't fit, or its surroundings don't allow the run.
        PipelineError: The run failed.
    """
    config = make_config(given_options(options), options.config)

    with imports_for_good():
        from pipeline import Pipeline  # torch takes seconds to import, and mistakes are told before

    return run_to_end(Pipeline(config), options)
