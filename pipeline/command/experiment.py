"""`run.py experiment`: many runs as one, variants times seeds, and what they come to together."""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.cage2.attackers.reference import is_reference
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.command import compare, side_by_side, wording
from pipeline.command.options import (
    FIELDS,
    UsageError,
    add_options,
    config_of,
    given_options,
    number_of,
    read_toml,
)
from pipeline.command.process import FAILED, INTERRUPTED, OK
from pipeline.command.terminal import tell
from pipeline.command.variants import overlaid, variants_of
from pipeline.command.watch import require_server
from pipeline.printable import printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.experiment.plan import Plan

OPTIONS: tuple[str, ...] = (
    "seeds", "vary", "jobs", "watch", "stop_hopeless", "thresholds", "window", "json", "config", *FIELDS
)  # fmt: skip
_KEYS: Final = ("seeds", "stop_hopeless", "base", "vary", "variants")
"""What a file may hold."""
_SEEDS: Final = 5
_MAX_SEEDS: Final = 1000
DESCRIPTION = """\
Train variants of a run, each with several seeds, side by side; then compare
them over their seeds. All options of `run.py train` are taken, for all runs.

Ctrl-C ends all runs after their updates in progress; the same command again, or
`run.py experiment FOLDER`, goes on with what is left, killed or stopped, and
comes to the same results to the bit."""
EPILOG = """\
examples:
  python run.py experiment --seeds 5 --total-episodes 20000
  python run.py experiment --seeds 5 --vary ppo.learning-rate=1e-3,3e-4 --vary red-agent=B_lineAgent,RedMeanderAgent
  python run.py experiment rates.toml --jobs 4 --watch
  python run.py experiment logs/rates

A file has what all runs share, and what varies or variants by name:
  seeds = 5
  [base]
  total_episodes = 20000
  [vary]                           # every combination of these
  ppo.learning_rate = [1e-3, 3e-4]
  [variants.wide]                  # or variants by name
  hidden_sizes = [256, 256]
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `experiment` its options."""
    parser.usage = "run.py experiment [FILE.toml | EXPERIMENT] [--seeds N] [--vary NAME=A,B,...] [OPTION ...]"
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "asked",
        metavar="FILE.toml|EXPERIMENT",
        nargs="?",
        type=Path,
        help="what is asked for; or the folder to go on in",
    )
    parser.add_argument("--seeds", metavar="N", help="runs of each variant; --seed is the first's [5]")
    parser.add_argument(
        "--vary",
        metavar="NAME=A,B,...",
        action="append",
        default=[],
        help="an option and its values, with ; between values that have commas themselves; may be repeated: every "
        "combination is a variant",
    )
    side_by_side.add_options(parser)
    parser.add_argument(
        "--stop-hopeless",
        action="store_true",
        help="after 5, 10, 20, ... seeds, give no more to variants that are clearly worse than the best "
        "(docs/experiments.md)",
    )
    compare.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print the comparison as one JSON object")
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run what is left of the experiment, and compare.

    Returns:
        The exit code: 0, 1 if a run failed, or 130 if it was stopped.

    Raises:
        SetupError: What is asked for can't be done.
    """
    by = compare.compared_by(options)
    plan, folder, speed = _asked(options, given_options(options))
    runs = list(plan.runs(folder, speed))
    num_jobs = side_by_side.num_jobs(options.jobs, speed)

    from pipeline.experiment.folder import ExperimentFolder
    from pipeline.experiment.progress import ExperimentProgress
    from pipeline.experiment.runner import Runner

    if options.watch:
        require_server()
    with ExperimentFolder(folder, plan), side_by_side.page(options, folder):
        tell(
            f"{printable(str(folder))}: {len(plan.variants)} variant{'s'[: len(plan.variants) != 1]}, {plan.num_seeds} "
            f"seed{'s'[: plan.num_seeds != 1]}, {num_jobs} at a time. To look on: {wording.program()} watch {folder}"
        )
        progress = ExperimentProgress(runs)
        runner = Runner(runs, stop_hopeless=plan.stop_hopeless, arguments=side_by_side.arguments, note=progress.note)
        side_by_side.run_to_end(runner, num_jobs, progress)
    if runner.is_stopped:
        tell(f"stopped, {len(runner.outcomes)} of {len(runs)} runs have ended. Go on with the same command")
        return INTERRUPTED
    if runner.outcomes:
        names = {run.run_dir: run.variant for run in runs if run.run_dir in runner.outcomes}
        compare.show(compare.comparison_of(list(names), names, by), as_json=options.json)
    for failure in runner.failures:
        tell(f"failed: {failure.run.run_dir.name}: {printable(failure.why)}")
    return FAILED if runner.failures else OK


def _asked(options: argparse.Namespace, given: Mapping[str, Any]) -> tuple[Plan, Path, dict[str, Any]]:
    """Return what is asked for, in which folder, and with what no result depends on."""
    from pipeline.experiment.folder import EXPERIMENT, read_plan
    from pipeline.experiment.plan import Plan

    path: Path | None = options.asked
    is_folder = path is not None and path.is_dir()
    asked: dict[str, Any] = {}
    file = path
    if path is not None and is_folder:  # it may be somebody else's
        file, there = path / EXPERIMENT, read_plan(path)
        asked = {"seeds": there.num_seeds, "stop_hopeless": there.stop_hopeless, "variants": there.variants}
    elif path is not None:
        asked = read_toml("experiment", path)
    for key in asked:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            where = f"did you mean {near[0]}?" if near else "what all runs share stands under [base]"
            raise UsageError(f"{file}: unknown key '{shown(key)}': {where}")
    for key in ("base", "vary", "variants"):
        if not isinstance(asked.get(key, {}), dict):
            raise UsageError(f"{file}: {key} must be a table, [{key}]")
    variants = variants_of(asked, options.vary, file)
    configs = {
        name: config_of(overlaid(given, from_options), overlaid(asked.get("base", {}), from_file), file)
        for name, (from_file, from_options) in variants.items()
    }
    if is_folder and "red_agent" not in given:
        for name, config in configs.items():
            if any(map(is_reference, red_agents_of(config.red_agent))):
                raise UsageError(
                    f"{path}: {name} has a Red agent that is code, which is not run by a folder's word: give the "
                    "command that began it"
                )
    num_seeds = asked.get("seeds", _SEEDS) if options.seeds is None else number_of("--seeds", options.seeds, _MAX_SEEDS)
    if type(num_seeds) is not int:
        raise UsageError(f"{file}: seeds = {num_seeds!r:.60}: must be a whole number")
    stop_hopeless = options.stop_hopeless or asked.get("stop_hopeless", False)
    if type(stop_hopeless) is not bool:
        raise UsageError(f"{file}: stop_hopeless = {stop_hopeless!r:.60}: must be true or false")
    plan = Plan.of(configs, num_seeds, stop_hopeless=stop_hopeless)
    first = next(iter(configs.values()))
    speed = side_by_side.speed_of(first)
    folder = path if path is not None and is_folder else first.log_dir / (first.run_name or _name(path, plan))
    return plan, folder, speed


def _name(file: Path | None, plan: Plan) -> str:
    """Return what the experiment's folder is called by itself: the same for the same plan."""
    if file is not None and (name := re.sub(r"[^A-Za-z0-9._-]+", "-", file.stem).lstrip("._-")):
        return name
    text = json.dumps([plan.num_seeds, plan.stop_hopeless, plan.variants], sort_keys=True)
    return f"experiment-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
