"""`run.py tune`: hyper-parameters and sizes for a run, searched by trials, and the winner evaluated afresh."""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.cage2.attackers.reference import is_reference
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.command import compare, side_by_side, wording
from pipeline.command.options import (
    FIELDS,
    TABLE,
    UsageError,
    add_file_option,
    add_options,
    config_of,
    given_options,
    number_of,
    read_toml,
)
from pipeline.command.process import FAILED, INTERRUPTED, OK
from pipeline.command.terminal import tell
from pipeline.command.variants import overlaid
from pipeline.command.watch import require_server
from pipeline.printable import printable, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.config import Config
    from pipeline.experiment.runner import Runner
    from pipeline.tuning.findings import Findings
    from pipeline.tuning.plan import TuningPlan
    from pipeline.tuning.tuner import Tuner

OPTIONS: tuple[str, ...] = (
    *("trials", "seeds", "fresh_seeds", "together", "search", "jobs", "watch", "json", "config"),
    *FIELDS,
)
_NUMBERS: Final = {"trials": 20, "seeds": 3, "fresh_seeds": 5, "together": 4}
"""What is counted, unless it is said or the folder says it."""
_MAX: Final = 1000
DESCRIPTION = """\
Search PPO's hyper-parameters and the networks' sizes for a run. A trial is a
few runs that differ in their seeds; its values come from Optuna's sampler,
which learns from the trials before; what counts is the median greedy return of
the defenders that its runs name. Trial 0 has the defaults. At the end the
winner and the defaults are trained on seeds that no trial had, and compared.
All options of `run.py train` are taken, for all runs.

Ctrl-C ends all runs after their updates in progress; the same command again, or
`run.py tune DIR`, goes on with what is left, killed or stopped, and comes to
the same trials. Needs the extra `tune`."""
EPILOG = """\
examples:
  python run.py tune --trials 30 --total-episodes 20000 --run-name rates
  python run.py tune --trials 20 --search learning-rate,ent-coef,hidden-sizes
  python run.py tune logs/rates                           # go on with it
  python run.py train --config logs/rates/recipe.toml     # use what it found

So many runs are trained: --trials times --seeds, less what is given up, and
twice --fresh-seeds. What may be searched, between which values, and how far the
result can be trusted, is in docs/tuning.md.
"""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `tune` its options."""
    parser.usage = "run.py tune [DIR] [--trials N] [--search NAME,...] [OPTION ...]"
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, help="the folder of a search, to go on with it")
    parser.add_argument("--trials", metavar="N", help=f"values that are tried [{_NUMBERS['trials']}]")
    parser.add_argument(
        "--seeds",
        metavar="N",
        help="runs of each trial; --seed is the first's. Of five trials or more, one that is below the median of all "
        f"after some of its seeds gets no more [{_NUMBERS['seeds']}]",
    )
    parser.add_argument(
        "--fresh-seeds",
        metavar="N",
        help=f"other seeds, by which the winner is compared with the defaults; 5 at least [{_NUMBERS['fresh_seeds']}]",
    )
    parser.add_argument(
        "--together",
        metavar="N",
        help="trials that are asked for at a time, and trained side by side; which trials there are depends on it "
        f"[{_NUMBERS['together']}]",
    )
    parser.add_argument("--search", metavar="NAME,...", help="what is searched [all that can be: docs/tuning.md]")
    side_by_side.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print what was found as one JSON object")
    add_file_option(parser)
    add_options(parser)


def run(options: argparse.Namespace) -> int:
    """Run what is left of the search, evaluate its winner afresh, and write its recipe.

    Returns:
        The exit code: 0, 1 if a run failed, or 130 if it was stopped.

    Raises:
        SetupError: What is asked for can't be done.
    """
    plan, folder, config = _asked(options, given_options(options))
    speed = side_by_side.speed_of(config)
    num_jobs = side_by_side.num_jobs(options.jobs, speed)

    from pipeline.experiment.folder import ExperimentFolder
    from pipeline.experiment.progress import ExperimentProgress
    from pipeline.experiment.runner import Runner
    from pipeline.persist.files import write_bytes
    from pipeline.tuning.findings import Findings, Fresh
    from pipeline.tuning.folder import FRESH, RECIPE, TuningFolder
    from pipeline.tuning.plan import trial_name
    from pipeline.tuning.sampler import require_sampler
    from pipeline.tuning.tuner import Tuner

    require_sampler()
    if options.watch:
        require_server()
    with TuningFolder(folder, plan), side_by_side.page(options, folder):
        runs = list(plan.runs(folder, speed))
        tell(
            f"{printable(str(folder))}: {plan.num_trials} trials, {len(runs)} runs at most, then "
            f"{2 * plan.num_fresh_seeds} to evaluate the winner afresh, {num_jobs} at a time. To look on: "
            f"{wording.program()} watch {folder}"
        )
        progress = ExperimentProgress(runs)
        tuner = Tuner(plan, folder, speed, arguments=side_by_side.arguments, note=progress.note)
        side_by_side.run_to_end(tuner, num_jobs, progress)
        if code := _unfinished(tuner):
            return code
        findings = Findings(plan, tuple(tuner.trials))
        if findings.best.number:  # else the defaults would be compared with themselves
            experiment = plan.fresh(findings.best.values)
            with ExperimentFolder(folder / FRESH, experiment), side_by_side.page(options, folder / FRESH):
                fresh_runs = list(experiment.runs(folder / FRESH, speed))
                progress = ExperimentProgress(fresh_runs)
                runner = Runner(fresh_runs, stop_hopeless=False, arguments=side_by_side.arguments, note=progress.note)
                tell(f"{trial_name(findings.best.number)} is the best. Afresh, on other seeds:")
                side_by_side.run_to_end(runner, num_jobs, progress)
            if code := _unfinished(runner):
                return code
            findings = replace(findings, fresh=Fresh.of(fresh_runs, runner.outcomes))
        write_bytes(folder / RECIPE, findings.recipe().encode())
    _show(findings, as_json=options.json)
    tell(f"use it: {wording.program()} train --config {folder / RECIPE}")
    return OK


def _unfinished(many: Tuner | Runner) -> int | None:
    """Return the exit code of what hasn't come to its end, having said why; None if it has."""
    if many.is_stopped:
        tell("stopped. Go on with the same command")
        return INTERRUPTED
    for failure in many.failures:
        tell(f"failed: {failure.run.run_dir.name}: {printable(failure.why)}")
    if many.failures:
        tell("nothing is concluded while a run has failed. The same command tries it again")
        return FAILED
    return None


def _show(findings: Findings, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(findings.as_json(), indent=2) + "\n")
        return
    compare.print_sheets([findings.sheet()], [findings.choice()])
    if findings.fresh is not None:
        compare.show(findings.fresh.comparison, as_json=False)
    compare.print_sheets([], [findings.conclusion()])


def _asked(options: argparse.Namespace, given: Mapping[str, Any]) -> tuple[TuningPlan, Path, Config]:
    """Return what is asked for, in which folder, and the configuration that says how it is computed."""
    from pipeline.experiment.plan import as_asked
    from pipeline.tuning.folder import TUNING, read_plan
    from pipeline.tuning.plan import TuningPlan
    from pipeline.tuning.space import SPACE, searchable

    folder: Path | None = options.folder
    there = None if folder is None else read_plan(folder)
    file = options.config or (folder and folder / TUNING)
    from_file = read_toml("--config", options.config) if options.config else {}
    config = config_of(given, overlaid(there.base if there else {}, from_file), file)
    if there and "red_agent" not in given and any(map(is_reference, red_agents_of(config.red_agent))):
        raise UsageError(
            f"{folder}: its Red agent is code, which is not run by a folder's word: give the command that began it"
        )
    numbers = {
        f"num_{name}": getattr(there, f"num_{name}") if there else default for name, default in _NUMBERS.items()
    } | {
        f"num_{name}": number_of(f"--{name.replace('_', '-')}", text, _MAX)
        for name in _NUMBERS
        if (text := getattr(options, name)) is not None
    }
    names = there.search if there else searchable(config)
    if options.search is not None:
        asked = [_name(text, tuple(SPACE)) for text in options.search.split(",")]
        names = tuple(name for name in SPACE if name in asked)
    plan = TuningPlan(as_asked(config), names, **numbers)
    if folder is None:
        text = json.dumps([plan.base, plan.search, numbers], sort_keys=True)
        name = config.run_name or f"tune-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        folder = config.log_dir / name
    return plan, folder, config


def _name(text: str, names: Sequence[str]) -> str:
    """Return what of all that can be searched is meant."""
    name = text.strip().removeprefix("--").replace("-", "_")
    for each in (name, f"{TABLE}.{name}"):
        if each in names:
            return each
    near = difflib.get_close_matches(name, [each.rpartition(".")[2] for each in names], n=1)
    advice = f"did you mean {near[0].replace('_', '-')}?" if near else f"choose of {', '.join(names)}"
    raise UsageError(f"--search {shown(text)}: {advice}")
