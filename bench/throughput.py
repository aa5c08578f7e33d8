"""What it costs to move episodes between processes: episodes/s by method, bytes, microseconds, and where time goes.

python bench/throughput.py --workers 2
python bench/throughput.py --methods shm,pickle --json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import anatomy
from methods import Row, measure
from rich.console import Console
from rich.table import Table

from pipeline.cage2.spec import RED_AGENTS
from pipeline.config import Config, num_cores

METHODS = ("shm", "pickle", "prototype")
EPISODES = {"cyborg": 400, "fast": 40_000}
"""To time by default: some seconds' worth."""
PROTOTYPE_EPISODES = 40
"""To time at most: it takes ten seconds for them."""


def main() -> int:
    """Measure, print, plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["cyborg", "fast"], default="cyborg", help="what plays the game [cyborg]")
    parser.add_argument("--workers", type=int, default=num_cores(), metavar="N", help="worker processes [one per core]")
    parser.add_argument("--episodes", type=int, metavar="N", help="episodes to time [cyborg 400, fast 40000]")
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="each method so often, the median counts [3]"
    )
    parser.add_argument("--red-agent", choices=RED_AGENTS, default="B_lineAgent", help="who attacks [B_lineAgent]")
    parser.add_argument("--methods", default=",".join(METHODS), help=f"which, in this order [{','.join(METHODS)}]")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw both tables (needs the `plot` extra)")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # a method, once, in this process
    options = parser.parse_args()
    methods = options.methods.split(",")
    if unknown := set(methods) - set(METHODS):
        parser.error(f"unknown method {', '.join(sorted(unknown))}: choose from {', '.join(METHODS)}")
    options.episodes = options.episodes or EPISODES[options.engine]
    if min(options.workers, options.episodes, options.rounds) < 1:
        parser.error("--workers, --episodes and --rounds are at least 1")

    if min(options.workers, 1000) != options.workers or min(options.episodes, 100_000) != options.episodes:
        parser.error("--workers is at most 1000, --episodes at most 100000")

    config = Config(
        workers=options.workers,
        engine=options.engine,
        red_agent=options.red_agent,
        episodes_per_update=options.episodes,
        total_episodes=options.episodes,
        policy_lag=0,
    )
    if options.one:
        print(json.dumps({"rows": [measure(methods[0], config, options.episodes).to_json()]}))
        return 0
    rounds: dict[str, list[Row]] = {method: [] for method in methods}
    for index in range(options.rounds):
        for method in methods:  # in turn, so that a machine that slows down slows all of them
            print(f"round {index + 1} of {options.rounds}: {method} ...", file=sys.stderr, flush=True)
            num_episodes = min(options.episodes, PROTOTYPE_EPISODES) if method == "prototype" else options.episodes
            rounds[method].append(_measure_afresh(method, options, num_episodes))
    rows = [sorted(rounds[method], key=lambda row: row.episodes_per_s)[options.rounds // 2] for method in methods]
    parts = anatomy.measure(options.engine, options.red_agent, min(options.episodes, EPISODES[options.engine] // 4))
    if options.json:
        print(json.dumps({"rows": [row.to_json() for row in rows], "episode_ms": parts}))
    else:
        _print(rows, parts)
    if options.plot:
        _plot(rows, parts, options.plot)
    return 0


def _measure_afresh(method: str, options: argparse.Namespace, num_episodes: int) -> Row:
    """Measure in a process of its own: the forkserver, once started, would spare the next method its start."""
    command = [sys.executable, __file__, f"--methods={method}", "--one", "--json", f"--engine={options.engine}"]
    command += [f"--workers={options.workers}", f"--episodes={num_episodes}", f"--red-agent={options.red_agent}"]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"measuring {method} failed")
    return Row(**json.loads(result.stdout)["rows"][0])


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
    try:
        import matplotlib as mpl
    except ImportError:
        sys.exit("--plot needs the extra: pip install 'cage2-pipeline[plot]'")
    mpl.use("Agg")
    from matplotlib import pyplot as plt

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
