"""What a run hands over: the defender that it names, played afresh, and what it took.

    python bench/headline.py
    python bench/headline.py --rows default,search-alone --red-agents RedMeanderAgent --seeds 3 --json

Every row is the default configuration with something changed; each of its seeds is a run of its own, of one experiment
(`run.py experiment`). The defender that a run names at its end is played by `run.py evaluate`'s means: 2,000 episodes
of 100 steps, the likeliest action at each step, on games that neither training nor the run's own evaluations have seen.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from rich.console import Console
from rich.table import Table

from pipeline import Config
from pipeline.cage2.facts.names import RedAgent
from pipeline.cage2.facts.order_names import order_name
from pipeline.cage2.facts.spec import EPISODE_STEPS
from pipeline.collect.methods import game_spec
from pipeline.command import side_by_side
from pipeline.command.options import Parser, UsageError
from pipeline.evaluate.evaluation import Request, evaluate
from pipeline.evaluate.scenario import Scenario
from pipeline.evaluate.task import Policy
from pipeline.evaluate.trained import NoPolicyError, load_trained
from pipeline.experiment.errors import ExperimentError
from pipeline.experiment.plan import Plan
from pipeline.experiment.progress import ExperimentProgress
from pipeline.experiment.runner import Runner
from pipeline.machine import num_cores
from pipeline.persist.files import read_json
from pipeline.run.summary import SUMMARY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.experiment.plan import PlannedRun

VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "default": {},
        "search-alone": {"finals_share": 0.0},
    }
)
"""By row: what is changed."""
EVALUATION_EPISODES = 2000


@dataclass(frozen=True)
class Outcome:
    """One run."""

    row: str
    red_agent: str
    seed: int
    best_workflow: str
    greedy: float
    """Mean return of the defender that the run names, in fresh episodes, in points."""
    greedy_stderr: float
    compliance: float
    """In the same episodes, 0 to 1."""
    num_observed: int
    """Orders that reached the compliance threshold in the search."""
    wall_s: float
    """Of the run, one worker and one learner on a machine that runs others beside it."""


def play(run: PlannedRun, row: str) -> Outcome:
    """Play what a run names that has ended.

    Raises:
        NoPolicyError: It names no defender.
    """
    config = run.config
    summary = read_json(run.run_dir / SUMMARY)
    if not summary["num_observed"]:
        where = f"{row}, seed {config.seed}, against {config.red_agent}"
        raise NoPolicyError(f"{where}: no order reached the compliance threshold")
    trained = load_trained(run.run_dir, None)
    policy = Policy(trained.weights, trained.workflow_id, greedy=True)
    scenario = Scenario(config.red_agent, EPISODE_STEPS)
    (result,) = evaluate(Request(policy, game_spec(config), (scenario,), EVALUATION_EPISODES, seed=config.seed))
    assert result.compliance is not None  # noqa: S101  # for mypy: a policy has one
    return Outcome(
        row=row,
        red_agent=config.red_agent,
        seed=config.seed,
        best_workflow=order_name(trained.workflow_id),
        greedy=result.env_reward.mean,
        greedy_stderr=result.env_reward.stderr,
        compliance=result.compliance.mean,
        num_observed=summary["num_observed"],
        wall_s=summary["wall_s"],
    )


def main() -> int:
    """Run all, print the tables; return the exit status."""
    try:
        options = _options()
        outcomes = _train_all(options)
    except (UsageError, NoPolicyError, ExperimentError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps({"episodes": options.episodes, "runs": [asdict(each) for each in outcomes]}, indent=2))
        return 0
    for red_agent in options.red_agents:
        Console().print(_table(red_agent, options, [each for each in outcomes if each.red_agent == red_agent]))
    return 0


def _train_all(options: argparse.Namespace) -> list[Outcome]:
    """Train all as one experiment, which nobody keeps; then play what its runs name.

    Raises:
        ExperimentError: A run failed.
        KeyboardInterrupt: It was stopped.
    """
    asked = {f"{row}-{red_agent}": (row, red_agent) for red_agent in options.red_agents for row in options.rows}
    configs = {
        name: Config(red_agent=red_agent, total_episodes=options.episodes, **VARIANTS[row])
        for name, (row, red_agent) in asked.items()
    }
    plan = Plan.of(configs, options.seeds, stop_hopeless=False)
    with tempfile.TemporaryDirectory(prefix="cage2-headline-") as folder:
        runs = list(plan.runs(Path(folder), side_by_side.speed_of(Config())))
        progress = ExperimentProgress(runs)
        runner = Runner(runs, stop_hopeless=False, arguments=side_by_side.arguments, note=progress.note)
        side_by_side.run_to_end(runner, options.jobs, progress)
        if runner.is_stopped:
            raise KeyboardInterrupt
        for failure in runner.failures:
            raise ExperimentError(f"{failure.run.run_dir.name}: {failure.why}")
        return [play(run, asked[run.variant][0]) for run in runs]


def _table(red_agent: str, options: argparse.Namespace, outcomes: list[Outcome]) -> Table:
    table = Table(title=f"{options.episodes:,} episodes against {red_agent}: the defender that is named, greedy")
    table.add_column("row")
    for name in ("return, by seed", "mean", "worst", "compliance, least", "orders observed", "seconds"):
        table.add_column(name, justify="right")
    for row in options.rows:
        runs = sorted((each for each in outcomes if each.row == row), key=lambda each: each.seed)
        returns = [run.greedy for run in runs]
        table.add_row(
            row,
            " ".join(f"{value:.1f}" for value in returns),
            f"{statistics.fmean(returns):.2f}",
            f"{min(returns):.2f}",
            f"{min(run.compliance for run in runs):.3f}",
            f"{statistics.fmean(run.num_observed for run in runs):.0f}",
            f"{statistics.fmean(run.wall_s for run in runs):.0f}",
        )
    return table


def _options() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="default", help=f"which, by commas, of {', '.join(VARIANTS)} [default]")
    parser.add_argument(
        "--red-agents", default="B_lineAgent,RedMeanderAgent", help="who attacks [B_lineAgent,RedMeanderAgent]"
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="runs of each row and Red agent [5]")
    parser.add_argument("--episodes", type=int, default=100_000, metavar="N", help="of each run [100000]")
    parser.add_argument("--jobs", type=int, default=num_cores(), metavar="N", help="runs at a time [one per core]")
    parser.add_argument("--json", action="store_true", help="print one JSON object, every run in it")
    options = parser.parse_args()
    options.rows, options.red_agents = options.rows.split(","), options.red_agents.split(",")
    for what, given, known in (
        ("row", options.rows, tuple(VARIANTS)),
        ("Red agent", options.red_agents, get_args(RedAgent)),
    ):
        if unknown := [name for name in given if name not in known]:
            raise UsageError(f"unknown {what} {', '.join(unknown)}: choose from {', '.join(known)}")
    if min(options.seeds, options.jobs, options.episodes) < 1:
        raise UsageError("--seeds, --jobs and --episodes take 1 or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
