"""What README and docs claim of the best defenders: trained, played and told with intervals over seeds.

    python bench/best.py --runs logs/leaderboard
    python bench/best.py --runs logs/leaderboard --profile leaderboard --seeds 3 --json

Each seed is a run of the README's command for one policy (`parts/entrants.py`) on the profile; its policy plays the
nine games of that profile by `run.py evaluate --greedy`. Runs and what they scored stay in the folder of `--runs`,
which `bench/leaderboard.py` shares: stopped, the same command goes on. An interval is of the mean over seeds, 95 % by
Student's t; of one seed it is over that one's episodes, and says nothing of another seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from parts.entrants import TOTAL_EPISODES, best
from parts.standings import MAX_SEEDS, over_runs
from parts.workshop import CommandFailedError, evaluate, is_trained, train
from rich.console import Console
from rich.table import Table

from pipeline.cage2.facts.names import Profile
from pipeline.command.options import Parser, UsageError
from pipeline.persist.runs import RunFolderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from parts.standings import Interval

EVALUATION_EPISODES = 1000


def play(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, list[dict[str, Any]]]:
    """Train what is missing, play all, and return what each seed scored, by profile.

    Raises:
        CommandFailedError: A command failed.
        UsageError: Another run lies in the place of one of these.
    """
    results: dict[str, list[dict[str, Any]]] = {}
    for profile in options.profiles:
        for each in best(profile, options.seeds, options.total_episodes):
            if not is_trained(each, options.runs):
                say(f"{each.name}: training")
                started_s = time.monotonic()
                train(each, options.runs)
                say(f"{each.name}: trained, {time.monotonic() - started_s:.0f} s")
            result = evaluate(each, profile, options.runs, options.episodes)
            results.setdefault(profile, []).append(result)
            say(f"{each.name}: {result['total_score']['mean']:.2f} in all")
    return results


def table_of(profile: str, results: list[dict[str, Any]]) -> Table:
    """Return a game's table: a row for each scenario and one for the total, a column for each seed and one for all."""
    table = Table("steps", "Red agent", *(f"seed {each['seed']}" for each in results), "mean, 95 %", title=profile)
    for scenarios in zip(*(each["scenarios"] for each in results), strict=True):
        steps, red_agent = scenarios[0]["steps"], scenarios[0]["red_agent"]
        table.add_row(str(steps), red_agent, *map(_one, scenarios), _told(over_runs(scenarios)))
    totals = [each["total_score"] for each in results]
    table.add_section()
    table.add_row("", "all nine", *map(_one, totals), _told(over_runs(totals)))
    return table


def _one(value: dict[str, float]) -> str:
    return f"{value['mean']:.2f}"


def _told(interval: Interval) -> str:
    return f"{interval.mean:.2f} ± {interval.half_width:.2f}"


def main() -> int:
    """Train, play, and print; return the exit status."""
    try:
        options = _options()
        results = play(options, lambda text: print(text, file=sys.stderr, flush=True))
    except (UsageError, RunFolderError, CommandFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, CommandFailedError) else 2
    except KeyboardInterrupt:
        print("stopped: the same command goes on", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(results, indent=1))
        return 0
    for profile in options.profiles:
        Console().print(table_of(profile, results[profile]))
    return 0


def _options() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR", help="folder of what is trained and played")
    parser.add_argument("--profile", choices=get_args(Profile), help="which state of the game [both]")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="runs of each [3]")
    parser.add_argument(
        "--episodes", type=int, default=EVALUATION_EPISODES, metavar="N", help=f"of each game [{EVALUATION_EPISODES}]"
    )
    parser.add_argument(
        "--total-episodes", type=int, default=TOTAL_EPISODES, metavar="N", help=f"of each run [{TOTAL_EPISODES}]"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    options.profiles = (options.profile,) if options.profile else get_args(Profile)
    if not 1 <= options.seeds <= MAX_SEEDS:
        raise UsageError(f"--seeds takes 1 to {MAX_SEEDS}")
    if min(options.episodes, options.total_episodes) < 1:
        raise UsageError("--episodes and --total-episodes take 1 or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
