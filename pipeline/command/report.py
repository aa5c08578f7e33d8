"""`run.py report`: what runs have found, as one page to be mailed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.command.compare import comparison_of, runs_in
from pipeline.command.options import MAX_EPISODES, number_of
from pipeline.command.process import OK
from pipeline.report.errors import ReportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.experiment.comparison import Comparison

OPTIONS: tuple[str, ...] = ("output", "episodes", "force")
DESCRIPTION = """\
Write what runs have found to one page that needs nothing else: it opens from
disk, without a network, and can be mailed or printed. Several runs are compared;
of an experiment all runs are, and each variant's typical one is told of."""
EPILOG = """\
examples:
  python run.py report logs/tuesday
  python run.py report logs/tuesday logs/wednesday -o both.html
  python run.py report logs/rates -o rates.html

A run's defender plays the nine games of CAGE-2 afresh, and two of its episodes
are in the page, to be looked at step by step. The same runs give the same bytes.
A run that is going on, was stopped or broke off has a report as well.
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `report` its options."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "runs", metavar="RUN", nargs="+", type=Path, help="runs' folders, e.g. logs/tuesday, or experiments'"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("report.html"), metavar="FILE", help="the page [report.html]"
    )
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.add_argument(
        "--episodes", default="1000", metavar="N", help="fresh episodes of each game, for each defender [1000]"
    )


def run(options: argparse.Namespace) -> int:
    """Write what the options ask for, and say where.

    Returns:
        The exit code, 0.

    Raises:
        SetupError: There is no such run, or the page can't be written.
        PipelineError: A checkpoint is damaged.
    """
    num_episodes = number_of("--episodes", options.episodes, MAX_EPISODES)
    output: Path = options.output
    if not options.force and os.path.lexists(output):
        raise ReportError(f"{str(output)!r:.200} is there already: choose another -o, or --force to write over it")
    if not output.absolute().parent.is_dir():
        raise ReportError(f"there is no folder {str(output.parent)!r:.200} for -o {output.name!r:.100}")
    from pipeline.experiment.folder import is_experiment
    from pipeline.persist.latest import find_run

    run_dirs = [find_run(path) for path in options.runs if not is_experiment(path)]
    over_seeds = None
    if experiments := [path for path in options.runs if is_experiment(path)]:
        over_seeds = comparison_of(*runs_in(experiments), {})
        run_dirs += [Path(variant.typical) for variant in over_seeds.variants]
    text = _page(run_dirs, num_episodes, over_seeds)
    _write(output, text)
    sys.stdout.write(f"{output}: {len(text.encode()) / 1e6:.1f} MB, {len(run_dirs)} run{'s'[: len(run_dirs) > 1]}\n")
    return OK


def _page(run_dirs: Sequence[Path], num_episodes: int, over_seeds: Comparison | None) -> str:
    from pipeline.evaluate.progress import progress
    from pipeline.numerics.compiled import must_be_compiled
    from pipeline.play import rollout
    from pipeline.report.facts import gather, num_played
    from pipeline.report.page import page

    if must_be_compiled(rollout.play):
        sys.stderr.write("note: compiling first, once, about 10 s\n")
    with progress(num_played(num_episodes) * len(run_dirs)) as note_progress:
        return page([gather(run_dir, num_episodes, note_progress) for run_dir in run_dirs], over_seeds)


def _write(output: Path, text: str) -> None:
    """Write the page whole, or not at all."""
    draft = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(output)
    except OSError as error:
        raise ReportError(f"can't write -o {str(output)!r:.200}: {error.strerror}") from None
    finally:
        draft.unlink(missing_ok=True)
