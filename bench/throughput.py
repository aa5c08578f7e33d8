"""What it costs to move episodes between processes: episodes/s by method, bytes, microseconds, and where time goes.

python bench/throughput.py --workers 2
python bench/throughput.py --methods shm,pickle --json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from parts import anatomy
from parts.rows import WARM_UP_S, Job, MeasurementFailedError, Row, import_pyplot, measure_afresh, median_row
from rich.console import Console
from rich.table import Table

from pipeline.cage2.facts.spec import EPISODE_STEPS, RED_AGENTS
from pipeline.command.options import Parser, UsageError
from pipeline.machine import num_cores

METHODS = ("shm", "pickle", "prototype")
EPISODES = {"cyborg": 400, "fast": 40_000}
"""To time by default: some seconds' worth."""
PROTOTYPE_EPISODES = 40
"""To time at most: it takes ten seconds for them."""


def main() -> int:
    """Measure, print, plot; return the exit status."""
    try:
        options = _options()
        rows = _measure(options)
    except (UsageError, MeasurementFailedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    parts = anatomy.measure(options.engine, options.red_agent, min(options.episodes, EPISODES[options.engine] // 4))
    if options.json:
        print(json.dumps({"rows": [row.to_json() for row in rows], "episode_ms": parts}))
    else:
        _print(rows, parts)
    if options.plot:
        _plot(rows, parts, options.plot)
    return 0


def _options() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["cyborg", "fast"], default="cyborg", help="what plays the game [cyborg]")
    parser.add_argument("--workers", type=int, default=num_cores(), metavar="N", help="worker processes [one per core]")
    parser.add_argument("--episodes", type=int, metavar="N", help="episodes to time [cyborg 400, fast 40000]")
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="each method so often, the median counts [3]"
    )
    parser.add_argument(
        "--warm-up", type=float, default=WARM_UP_S, metavar="S", help=f"before that, at least [{WARM_UP_S:.0f}]"
    )
    parser.add_argument("--red-agent", choices=RED_AGENTS, default="B_lineAgent", help="who attacks [B_lineAgent]")
    parser.add_argument("--methods", default=",".join(METHODS), help=f"which, in this order [{','.join(METHODS)}]")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw both tables (needs the `plot` extra)")
    options = parser.parse_args()
    options.methods = options.methods.split(",")
    if unknown := set(options.methods) - set(METHODS):
        raise UsageError(f"unknown method {', '.join(sorted(unknown))}: choose from {', '.join(METHODS)}")
    options.episodes = options.episodes or EPISODES[options.engine]
    if min(options.workers, options.episodes, options.rounds) < 1:
        raise UsageError("--workers, --episodes and --rounds are at least 1")
    if not 0 <= options.warm_up <= 86_400:
        raise UsageError("--warm-up is 0 or more, and a day at most")
    if options.workers > 1000 or options.episodes > 100_000:
        raise UsageError("--workers is at most 1000, --episodes at most 100000")
    if options.plot:
        import_pyplot()  # or say now that it can't be had
    return options


def _measure(options: argparse.Namespace) -> list[Row]:
    rounds: dict[str, list[Row]] = {method: [] for method in options.methods}
    for index in range(options.rounds):
        for method in options.methods:  # in turn, so that a machine that slows down slows all of them
            print(f"round {index + 1} of {options.rounds}: {method} ...", file=sys.stderr, flush=True)
            num_episodes = min(options.episodes, PROTOTYPE_EPISODES) if method == "prototype" else options.episodes
            engine = "cyborg" if method == "prototype" else options.engine
            game = method, options.workers, engine, options.red_agent
            job = Job(*game, 0.0, num_episodes, EPISODE_STEPS, options.warm_up)
            rounds[method].append(measure_afresh(job))
    return [median_row(measured) for measured in rounds.values()]


def _print(rows: list[Row], parts: dict[str, float]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 110)
    slowest = min(row.episodes_per_s for row in rows)
    table = Table(title=f"{rows[0].workers} workers, {rows[0].engine}, {rows[0].red_agent}")
    for name in ("method", "episodes/s", "ratio", "first episode", "bytes out", "bytes back", "serialisation", "PSS"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for row in rows:
        table.add_row(
            row.method,
            f"{row.episodes_per_s:.1f}",
            f"{row.episodes_per_s / slowest:.2f}",
            f"{row.first_episode_s:.2f} s",
            f"{row.pickled_bytes_to_worker:,.0f}",
            f"{row.pickled_bytes_to_parent:,.0f}",
            f"{row.serialization_us_per_episode:,.0f} us",
            f"{row.pss_bytes / 2**20:,.0f} MiB",
        )
    console.print(table)
    console.print("bytes are pickled ones per episode, out to the worker and back to the parent")
    whole = sum(parts.values())
    table = Table(title="where an episode's time goes in a worker (shm)")
    for name in ("part", "ms", "share"):
        table.add_column(name, justify="left" if name == "part" else "right")
    for name, milliseconds in sorted(parts.items(), key=lambda item: -item[1]):
        table.add_row(name, f"{milliseconds:.3f}", f"{milliseconds / whole:.1%}")
    console.print(table)


def _plot(rows: list[Row], parts: dict[str, float], path: Path) -> None:
    plt = import_pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    bars = left.bar([row.method for row in rows], [row.episodes_per_s for row in rows], color="#3b6ea5")
    left.bar_label(bars, fmt="%.1f")
    left.set_ylabel("episodes/s")
    left.set_title(f"{rows[0].workers} workers, {rows[0].engine}, {rows[0].red_agent}")
    names = sorted(parts, key=lambda name: -parts[name])
    bars = right.barh(names, [parts[name] for name in names], color="#d08c3f")
    right.bar_label(bars, fmt="%.3g", padding=2)
    right.invert_yaxis()
    right.set_xlabel("ms per episode")
    right.set_title("where an episode's time goes in a worker")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    raise SystemExit(main())
