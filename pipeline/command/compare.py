"""`run.py compare`: runs that differ in their seeds alone taken together, and set beside others."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.command.options import MAX_EPISODES, UsageError, number_of
from pipeline.command.process import OK
from pipeline.command.terminal import tell
from pipeline.printable import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.experiment.comparison import Comparison
    from pipeline.experiment.told import Sheet

OPTIONS: tuple[str, ...] = ("thresholds", "window", "json")
DESCRIPTION = """\
Compare runs over their seeds: what their defenders are worth in fresh episodes,
how probably one variant is better than another, and after how many episodes
they came to given returns. Runs that differ in their seeds alone are one
variant's. Intervals are over seeds, and there are none below five."""
EPILOG = """\
examples:
  python run.py compare logs/rates
  python run.py compare logs/monday logs/tuesday logs/wednesday
  python run.py compare logs/rates --thresholds=-30,-15 --json
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `compare` its options."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "runs",
        metavar="RUN|EXPERIMENT",
        nargs="+",
        type=Path,
        help="folders of runs, or of experiments: all their runs",
    )
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object: more figures, and all pairs")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options that say what runs are compared by."""
    parser.add_argument(
        "--thresholds",
        metavar="X,...",
        help="returns, in points: which share of the defenders is better, and when training came there "
        "[-100,-50,-30,-20,-18.24]",
    )
    parser.add_argument(
        "--window", metavar="N", default="500", help="episodes of training that a mean is taken over [500]"
    )


def run(options: argparse.Namespace) -> int:
    """Print the comparison.

    Returns:
        The exit code, 0.

    Raises:
        SetupError: There is no such run, or none that has ended.
    """
    by = compared_by(options)
    run_dirs, names = runs_in(options.runs)
    show(comparison_of(run_dirs, names, by), as_json=options.json)
    return OK


def runs_in(paths: Sequence[Path]) -> tuple[list[Path], dict[Path, str]]:
    """Return the folders of runs, those in experiments' folders among them, and the names of experiments' variants.

    Raises:
        SetupError: An experiment's file is damaged, or it has no run yet.
    """
    from pipeline.experiment.folder import is_experiment, read_plan

    run_dirs: list[Path] = []
    names: dict[Path, str] = {}
    for path in paths:
        if not is_experiment(path):
            run_dirs.append(path)
            continue
        prefix = "" if len(paths) == 1 else f"{path.resolve().name}: "
        planned = {run.run_dir: f"{prefix}{run.variant}" for run in read_plan(path).runs(path, {})}
        begun = [run_dir for run_dir in planned if (run_dir / "config.json").exists()]
        if not begun:
            raise UsageError(f"no run of {shown(path)} has begun")
        if len(begun) < len(planned):
            tell(f"note: {len(planned) - len(begun)} of {len(planned)} runs of {shown(path)} have not begun")
        run_dirs += begun
        names |= planned
    return run_dirs, names


def compared_by(options: argparse.Namespace) -> dict[str, Any]:
    """Return what runs are compared by.

    Raises:
        UsageError: An option doesn't fit.
    """
    by: dict[str, Any] = {"window": number_of("--window", options.window, MAX_EPISODES)}
    if options.thresholds is not None:
        try:
            by["thresholds"] = [float(each) for each in options.thresholds.split(",")]
        except ValueError:
            raise UsageError(f"--thresholds {options.thresholds!r:.60}: must be numbers, by commas") from None
        if not all(abs(each) < float("inf") for each in by["thresholds"]):
            raise UsageError(f"--thresholds {options.thresholds!r:.60}: must be numbers, by commas")
    return by


def comparison_of(run_dirs: Sequence[Path], names: Mapping[Path, str], by: Mapping[str, Any]) -> Comparison:
    """Read runs and compare them.

    Raises:
        SetupError: There is no such run, or none that has ended.
    """
    from pipeline.experiment.comparison import compare
    from pipeline.experiment.outcome import outcome_of

    comparison = compare([outcome_of(run_dir) for run_dir in dict.fromkeys(run_dirs)], names, **by)
    if not comparison.variants:
        name, why = comparison.left_out[0]
        raise UsageError(f"no run has ended, so there is nothing to compare: {shown(name)}: {why}")
    return comparison


def show(comparison: Comparison, *, as_json: bool) -> None:
    """Print a comparison."""
    from pipeline.experiment import told

    if as_json:
        sys.stdout.write(json.dumps(told.as_json(comparison), indent=2) + "\n")
        return
    print_sheets(told.sheets(comparison), told.notes(comparison))


def print_sheets(sheets: Iterable[Sheet], notes: Iterable[str]) -> None:
    """Print tables, and what has to be known to read them."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 160
    for sheet in sheets:
        table = Table(title=sheet.title)
        for place, name in enumerate(sheet.head):
            table.add_column(name, justify="right" if place else "left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)
    for note in notes:
        console.print(note, soft_wrap=not console.is_terminal)
