"""Every way to collect episodes, side by side: how many a second, how busy the workers are, what travels.

python bench/compare.py --workers 2
python bench/compare.py --engine synthetic --step-ms 10 --spread heavy --workers 1,10,50,100 --plot scaling.png

Each method is measured in a process of its own, in a window in which more work waits than its workers can take.

  sequential   one environment, in the process itself: one row, what the others are held against
  synchronous  workers that step together, policy in the parent, a barrier at each step
  ray          Ray actors, whole episodes, back as one block of bytes per task
  pickle       ProcessPoolExecutor, whole episodes, weights and episodes pickled
  shm          ProcessPoolExecutor, whole episodes, through shared memory: the default of run.py
  prototype    ProcessPoolExecutor as the research prototype used it (CybORG only)

Efficiency is episodes/s by sequential's times workers, or times cores where there are fewer. A synthetic step only
sleeps, which needs no core: there it is episodes/s by workers / (mean seconds of an episode).
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from pathlib import Path

from parts.rows import METHODS, WARM_UP_S, Job, MeasurementFailedError, Row, import_pyplot, measure_afresh, median_row
from rich.console import Console
from rich.table import Table

from pipeline.cage2.facts.spec import EPISODE_STEPS, RED_AGENTS
from pipeline.command.options import Parser, UsageError
from pipeline.machine import num_cores

DEFAULT_MINUTES = 1.5
MAX_WORKERS = 1000


def main() -> int:
    """Measure, print, plot; return the exit status."""
    try:
        options = _parser().parse_args()
        _check(options)
        return compare(options)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def compare(options: argparse.Namespace) -> int:
    """Measure what the options ask for, print it, draw it; return 1 if a part of it could not be measured."""
    methods, left_out = _available(options.methods, options.engine)
    for method, reason in left_out.items():
        print(f"{method} left out: {reason}", file=sys.stderr)
    if not methods:
        raise UsageError("no method is left to measure")
    cases = [(method, n) for method in methods for n in ([1] if method == "sequential" else options.workers)]
    seconds = options.seconds or options.minutes * 60 / (len(cases) * options.rounds)

    rounds: dict[tuple[str, int], list[Row]] = {case: [] for case in cases}
    for index in range(options.rounds):
        for method, workers in cases:  # in turn, so that a machine that slows down slows all of them
            where = f"round {index + 1} of {options.rounds}: " if options.rounds > 1 else ""
            print(f"{where}{method}, {workers} workers, {seconds:.0f} s ...", file=sys.stderr, flush=True)
            try:
                rounds[method, workers].append(measure_afresh(_job(options, method, workers, seconds)))
            except MeasurementFailedError as error:
                left_out[f"{method}, {workers} workers"] = str(error)
                print(error, file=sys.stderr)
    rows = [median_row(measured) for measured in rounds.values() if measured]
    if not rows:
        print("nothing could be measured", file=sys.stderr)
        return 1
    ideal = _Ideal(options, rows)
    if options.json:
        values = [{**row.to_json(), "efficiency": ideal.efficiency(row)} for row in rows]
        game = {name: getattr(options, name) for name in ("engine", "red_agent", "steps", "step_ms", "spread")}
        print(json.dumps({"rows": values, "cores": num_cores(), **game, "left_out": left_out}))
    else:
        _print(options, rows, ideal)
    if options.plot:
        _plot(options, rows, ideal)
    return 0 if len(rows) == len(cases) else 1


def _parser() -> Parser:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    game = parser.add_argument_group("the game")
    game.add_argument(
        "--engine", choices=["cyborg", "fast", "synthetic"], default="cyborg", help="what plays the game [cyborg]"
    )
    game.add_argument("--red-agent", choices=RED_AGENTS, default="B_lineAgent", help="who attacks [B_lineAgent]")
    game.add_argument("--step-ms", type=float, metavar="MS", help="synthetic: mean time of a step [10]")
    game.add_argument(
        "--spread", choices=["none", "mild", "heavy"], help="synthetic: of these times, see synthetic.py [heavy]"
    )
    game.add_argument("--steps", type=int, metavar="N", help="synthetic: steps per episode [100]")
    what = parser.add_argument_group("what is measured")
    what.add_argument(
        "--workers", type=_numbers, default=[num_cores()], metavar="N,...", help="worker processes [one per core]"
    )
    what.add_argument("--methods", type=_names, default=METHODS, metavar="A,...", help=f"which [{','.join(METHODS)}]")
    time = what.add_mutually_exclusive_group()
    time.add_argument(
        "--minutes",
        type=float,
        default=DEFAULT_MINUTES,
        metavar="M",
        help=f"time to measure in all, divided among the rows; starts and warm-ups come on top [{DEFAULT_MINUTES}]",
    )
    time.add_argument("--seconds", type=float, metavar="S", help="time to measure each row, instead of --minutes")
    what.add_argument(
        "--warm-up", type=float, default=WARM_UP_S, metavar="S", help=f"time before that, at least [{WARM_UP_S:.0f}]"
    )
    what.add_argument("--rounds", type=int, default=1, metavar="N", help="each row so often, the median counts [1]")
    result = parser.add_argument_group("the result")
    result.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    result.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.png",
        help="draw throughput by workers, and where the time goes (needs the `plot` extra)",
    )
    return parser


def _numbers(text: str) -> list[int]:
    return list(dict.fromkeys(int(part) for part in text.split(",")))


_numbers.__name__ = "list of numbers"  # argparse says so in its errors


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(text.split(",")))


def _check(options: argparse.Namespace) -> None:
    """Refuse what can't be measured, and fill in the synthetic game's defaults."""
    if unknown := [method for method in options.methods if method not in METHODS]:
        raise UsageError(f"unknown method {', '.join(unknown)}: choose from {', '.join(METHODS)}")
    if not all(1 <= workers <= MAX_WORKERS for workers in options.workers):
        raise UsageError(f"--workers are 1 to {MAX_WORKERS}")
    seconds = options.minutes * 60 if options.seconds is None else options.seconds
    if not 0 < seconds <= 86_400:
        raise UsageError("--minutes and --seconds are more than 0, and a day at most")
    if not 0 <= options.warm_up <= 86_400:
        raise UsageError("--warm-up is 0 or more, and a day at most")
    if not 1 <= options.rounds <= 100:
        raise UsageError("--rounds is 1 to 100")
    synthetic = {"step_ms": 10.0, "spread": "heavy", "steps": EPISODE_STEPS}
    for name, default in synthetic.items():
        if getattr(options, name) is None:
            setattr(options, name, default if options.engine == "synthetic" or name == "steps" else None)
        elif options.engine != "synthetic":
            raise UsageError(f"--{name.replace('_', '-')} needs --engine synthetic")
    if options.engine == "synthetic" and not (0 < options.step_ms <= 10_000 and 1 <= options.steps <= 10_000):
        raise UsageError("--step-ms is more than 0 and 10000 at most, --steps is 1 to 10000")
    if options.plot:
        import_pyplot()  # or say now that it can't be had


def _available(methods: list[str], engine: str) -> tuple[list[str], dict[str, str]]:
    """Return the methods that can be had, and why the others can't."""
    left_out = {}
    if find_spec("ray") is None:
        left_out["ray"] = "it is not installed (pip install 'cage2-pipeline[ray]')"
    if engine != "cyborg":
        left_out["prototype"] = "it builds CybORG environments (--engine cyborg)"
    left_out = {method: reason for method, reason in left_out.items() if method in methods}
    return [method for method in methods if method not in left_out], left_out


def _job(options: argparse.Namespace, method: str, workers: int, seconds: float) -> Job:
    synthetic = {"step_ms": options.step_ms, "spread": options.spread} if options.engine == "synthetic" else {}
    game = method, workers, options.engine, options.red_agent
    return Job(*game, seconds, 1, options.steps, options.warm_up, **synthetic)


class _Ideal:
    """What a number of workers could do at best."""

    def __init__(self, options: argparse.Namespace, rows: list[Row]) -> None:
        """Args: options: the game. rows: sequential's among them, or nothing is known of a game that computes."""
        self._per_worker = next((row.episodes_per_s for row in rows if row.method == "sequential"), None)
        self._max_workers = num_cores()
        if options.engine == "synthetic":
            self._per_worker = 1e3 / (options.steps * options.step_ms)
            self._max_workers = MAX_WORKERS

    def episodes_per_s(self, workers: int) -> float | None:
        """Return it in episodes/s."""
        return self._per_worker and self._per_worker * min(workers, self._max_workers)

    def efficiency(self, row: Row) -> float | None:
        """Return a row's share of it."""
        ideal = self.episodes_per_s(row.workers)
        return ideal and row.episodes_per_s / ideal


def _title(options: argparse.Namespace) -> str:
    if options.engine == "synthetic":
        return f"synthetic, {options.step_ms:g} ms a step, spread {options.spread}"
    return f"{options.engine}, {options.red_agent}"


def _print(options: argparse.Namespace, rows: list[Row], ideal: _Ideal) -> None:
    console = Console(width=None if sys.stdout.isatty() else 120)
    table = Table(title=f"{_title(options)}, {num_cores()} cores")
    names = (
        "method",
        "workers",
        "episodes/s",
        "efficiency",
        "first",
        "PSS",
        "bytes",
        "idle",
        "parent CPU",
        "other CPU",
    )
    for name in names:
        table.add_column(name, justify="left" if name == "method" else "right")
    for row in rows:
        efficiency = ideal.efficiency(row)
        table.add_row(
            row.method,
            str(row.workers),
            f"{row.episodes_per_s:,.1f}",
            "-" if efficiency is None else f"{efficiency:.1%}",
            f"{row.first_episode_s:.1f} s",
            f"{row.pss_bytes / 2**20:,.0f} MiB",
            f"{row.bytes_per_episode:,.0f}",
            f"{row.idle_share:.0%}",
            f"{row.parent_cpu_share:.0%}",
            f"{row.children_cpu_share:.0%}",
        )
    console.print(table)
    console.print(
        "first: seconds to the first episode; bytes: per episode, between parent and worker, all ways together; "
        "idle: workers' time outside episodes; CPU: of one core, the game included"
    )


def _plot(options: argparse.Namespace, rows: list[Row], ideal: _Ideal) -> None:
    plt = import_pyplot()
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    workers = sorted({row.workers for row in rows})
    methods = list(dict.fromkeys(row.method for row in rows))
    if ideal.episodes_per_s(1) is not None:
        left.plot(workers, [ideal.episodes_per_s(n) for n in workers], "--", color="grey", label="ideal")
    for method in methods:
        points = sorted((row.workers, row.episodes_per_s) for row in rows if row.method == method)
        left.plot(*zip(*points, strict=True), "o-", label=method)
    left.set(xscale="log", yscale="log", xlabel="workers", ylabel="episodes/s", title=_title(options))
    left.set_xticks(workers, [str(n) for n in workers])
    left.minorticks_off()
    left.legend(frameon=False)

    most = [max((row for row in rows if row.method == method), key=lambda row: row.workers) for method in methods]
    names = [f"{row.method} ({row.workers})" for row in most]
    busy = [100 * (1 - row.idle_share) for row in most]
    right.barh(names, busy, color="#3b6ea5", label="in an episode")
    right.barh(names, [100 - share for share in busy], left=busy, color="#d8d8d8", label="waiting")
    right.plot([100 * row.parent_cpu_share for row in most], names, "D", color="#d08c3f", label="parent, of one core")
    right.set(xlabel="% of the workers' time", title="where the time goes, with most workers")
    right.invert_yaxis()
    right.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(options.plot, dpi=120)


if __name__ == "__main__":
    raise SystemExit(main())
