"""The table of defenders: built-ins, the contest's baselines, Stable-Baselines3's, and this project's, on both games.

    python bench/leaderboard.py --runs logs/leaderboard
    python bench/leaderboard.py --runs logs/leaderboard --rows restore,best --seeds 1 --json

What has to be trained is, one after the other, by `run.py` and `examples/sb3_ppo.py`. Each defender is then played by
`run.py evaluate`, on both games, whichever it was trained on. All that is trained and played stays in the folder of
`--runs`: stopped by Ctrl-C, or killed, the same command goes on where it was. Written are `leaderboard.json`, and
`leaderboard.md`, which is made from that alone; published scores of others stand in both.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parts.entrants import PROFILES, ROWS, TOTAL_EPISODES, entrants
from parts.leaderboard_page import page
from parts.standings import MAX_SEEDS
from parts.workshop import CommandFailedError, evaluate, is_trained, train

from pipeline.command.options import Parser, UsageError
from pipeline.machine import package_version
from pipeline.persist.runs import RunFolderError
from pipeline.report.published import SCORES

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).parents[1]
TOTAL_TIMESTEPS: Final = 500_000


def make_table(options: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Train what is missing, play all, and return the table as the JSON has it.

    Raises:
        CommandFailedError: A command failed.
        UsageError: Another run lies in the place of one of these, or there is nothing to play.
    """
    everybody = list(entrants(ROWS, options.seeds, options.total_episodes, options.total_timesteps))
    missing, results = [], []
    for each in everybody:
        if each.row not in options.rows or (not is_trained(each, options.runs) and options.trained_only):
            missing.append(each.name)
            continue
        if not is_trained(each, options.runs):
            say(f"{each.name}: training")
            started_s = time.monotonic()
            train(each, options.runs)
            say(f"{each.name}: trained, {time.monotonic() - started_s:.0f} s")
        for profile in PROFILES:
            results.append(evaluate(each, profile, options.runs, options.episodes))
            say(f"{each.name}: {results[-1]['total_score']['mean']:.1f} on {profile}")
    if not results:
        raise UsageError(f"nothing is trained yet in {options.runs}: leave --trained-only out")
    return {
        "version": package_version("cage2-pipeline"),
        "episodes": options.episodes,
        "results": results,
        "published": [asdict(score) for score in SCORES],
        "missing": missing,
    }


def main() -> int:
    """Make the table; return the exit status."""
    try:
        options = _options()
        say = (lambda _: None) if options.quiet else (lambda text: print(text, file=sys.stderr, flush=True))
        table = make_table(options, say)
    except (UsageError, RunFolderError, CommandFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, CommandFailedError) else 2
    except KeyboardInterrupt:
        print("stopped: the same command goes on", file=sys.stderr)
        return 130
    text = json.dumps(table, indent=1) + "\n"
    if options.json:
        print(text, end="")
    else:
        (options.to / "leaderboard.json").write_text(text)
        (options.to / "leaderboard.md").write_text(page(table))
    return 0


def _options() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR", help="folder of what is trained and played")
    parser.add_argument("--rows", default=",".join(ROWS), metavar="NAME,...", help=f"which [{','.join(ROWS)}]")
    parser.add_argument(
        "--seeds",
        type=int,
        default=3,
        metavar="N",
        help="runs of each defender trained on leaderboard; one on head [3]",
    )
    parser.add_argument("--episodes", type=int, default=1000, metavar="N", help="of each scenario [1000]")
    parser.add_argument(
        "--total-episodes", type=int, default=TOTAL_EPISODES, metavar="N", help=f"of each run [{TOTAL_EPISODES}]"
    )
    parser.add_argument(
        "--total-timesteps", type=int, default=TOTAL_TIMESTEPS, metavar="N", help=f"of sb3's [{TOTAL_TIMESTEPS}]"
    )
    parser.add_argument("--trained-only", action="store_true", help="train nothing, and leave out what isn't trained")
    parser.add_argument("--to", type=Path, default=ROOT / "docs", metavar="DIR", help="where to write the files [docs]")
    parser.add_argument("--quiet", action="store_true", help="print no progress")
    parser.add_argument("--json", action="store_true", help="print the JSON, and write no files")
    options = parser.parse_args()
    options.rows = options.rows.split(",")
    if unknown := [name for name in options.rows if name not in ROWS]:
        raise UsageError(f"unknown row {', '.join(unknown)}: choose from {', '.join(ROWS)}")
    if not 1 <= options.seeds <= MAX_SEEDS:
        raise UsageError(f"--seeds takes 1 to {MAX_SEEDS}")
    if min(options.episodes, options.total_episodes, options.total_timesteps) < 1:
        raise UsageError("--episodes, --total-episodes and --total-timesteps take 1 or more")
    if not options.json and not options.to.is_dir():
        raise UsageError(f"--to {options.to}: there is no such folder")
    return options


if __name__ == "__main__":
    sys.exit(main())
