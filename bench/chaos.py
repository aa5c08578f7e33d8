"""Runs under random faults, next to one that is left in peace: what is lost, what differs, how fast it recovers.

python bench/chaos.py --minutes 10 --seed 1

Run after run is started with the same configuration, hit by faults of all kinds (parts/fault_kinds.py) until it has
finished, resumed whenever it was ended, each time with another collection method, engine and number of workers. Then
its policies, search, logs and digest are compared with those of the undisturbed run, bit by bit.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parts.fault_kinds import NEED_MOUNT, UnknownKindError, Weather, is_finished
from parts.storm import HangError, Run
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

EPISODES = 1920
"""Of each run, by default: some seconds' worth."""
NUM_VISITS = 6
"""At least: the search is fitted, and policies come and go."""
EPISODES_PER_UPDATE = 16
CONCURRENT_VISITS = 4
EVALUATION_EPISODES = 4
"""Of each visit, and five times as many of a finalist. Recovery is told by the next update, so by what lies between,
too: one worker of CybORG evaluates four finalists with 100 episodes each, sampled and greedy, for 80 s and more."""
MEAN_CALM_S = 0.15
"""Between a recovery and the next fault."""
DISK_BYTES = 48 << 20


@dataclass
class Report:
    """What came of it."""

    seed: int
    minutes: float = 0.0
    runs: int = 0
    faults: int = 0
    faults_by_kind: dict[str, int] = field(default_factory=dict)
    recovery_s: dict[str, float] = field(default_factory=dict)
    """From a fault to the next update: `median` and `worst`, over all faults."""
    recovery_by_kind_s: dict[str, float] = field(default_factory=dict)
    """The median of each kind."""
    throughput_kept: float = 0.0
    """Undisturbed over disturbed wall time, per run."""
    left_out: list[str] = field(default_factory=list)
    """Kinds of faults that can't be caused here, or were not to be."""
    episodes_lost: int = 0
    bits_differ: int = 0
    left_behind: list[str] = field(default_factory=list)


def main() -> int:
    """Run, print; 1 if the promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long to go on starting runs [10]")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="draws the faults [1]")
    parser.add_argument("--episodes", type=int, default=EPISODES, metavar="N", help=f"of each run [{EPISODES}]")
    parser.add_argument("--leave-out", action="append", default=[], metavar="KIND", help="of faults; may be repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    if options.minutes <= 0:
        parser.error("--minutes must be above 0")
    if options.episodes < NUM_VISITS * EPISODES_PER_UPDATE:
        parser.error(f"--episodes must be at least {NUM_VISITS * EPISODES_PER_UPDATE}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave nothing mounted or running
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cage2-chaos-")))
        disk = _small_disk(folder, stack)
        rng = random.Random(options.seed)  # noqa: S311  # faults are no secret
        try:
            weather = Weather(rng, disk, options.leave_out)
        except UnknownKindError as error:
            parser.error(f"--leave-out: {error}")
        report = Report(options.seed, left_out=weather.left_out)
        try:
            _storm(report, disk or folder, weather, rng, options.minutes * 60, options.episodes)
        except KeyboardInterrupt:
            return 130
        except HangError as error:
            print(f"error: a hang: {error}", file=sys.stderr)
            return 1
    if options.json:
        print(json.dumps(asdict(report)))
    else:
        _print(report)
    return 1 if report.episodes_lost or report.bits_differ or report.left_behind else 0


def _options(num_episodes: int) -> tuple[str, ...]:
    """Return what the results of every run depend on; each writes a checkpoint after every update."""
    return (
        f"--total-episodes={num_episodes}",
        f"--episodes-per-update={EPISODES_PER_UPDATE}",
        f"--max-episodes-per-workflow={num_episodes // NUM_VISITS}",
        "--compliance-threshold=0.5",
        f"--concurrent-visits={CONCURRENT_VISITS}",
        f"--evaluation-episodes={EVALUATION_EPISODES}",
        "--checkpoint-interval-s=0",
        "--seed=11",
    )


def _storm(
    report: Report, folder: Path, weather: Weather, rng: random.Random, duration_s: float, num_episodes: int
) -> None:
    """Start run after run until the time is over; the report is filled in."""
    begin_s = time.monotonic()
    calm = Run(folder / "calm", _options(num_episodes))
    _tell("a run in peace, to compare with ...")
    with calm:
        calm.start(["--workers=2"])
        code, err = calm.ended()
    if code:
        raise SystemExit(f"the undisturbed run failed:\n{err}")
    expected, calm_s = calm.outcome(), time.monotonic() - begin_s
    kinds: Counter[str] = Counter()
    recoveries: dict[str, list[float]] = {}
    begin_s = time.monotonic()
    while time.monotonic() - begin_s < duration_s:
        run = Run(folder / f"storm-{report.runs}", _options(num_episodes))
        with run:
            for kind, recovery_s in _disturb(run, weather, rng):
                kinds[kind] += 1
                if recovery_s is not None:
                    recoveries.setdefault(kind, []).append(recovery_s)
                _tell(f"run {report.runs + 1}, fault {kinds.total()}: {kind}, {_seconds(recovery_s)}")
        outcome = run.outcome()
        report.runs += 1
        report.episodes_lost += num_episodes - outcome["episodes"]
        report.bits_differ += _differing_bits(expected, outcome)
        report.left_behind += run.leftovers()
        shutil.rmtree(run.folder)
    wall_s = time.monotonic() - begin_s
    times = [each for kind in recoveries.values() for each in kind]
    report.minutes = wall_s / 60
    report.faults = kinds.total()
    report.faults_by_kind = dict(kinds.most_common())
    report.recovery_s = {"median": statistics.median(times), "worst": max(times)} if times else {}
    report.recovery_by_kind_s = {kind: statistics.median(each) for kind, each in sorted(recoveries.items())}
    report.throughput_kept = calm_s * report.runs / wall_s


def _disturb(run: Run, weather: Weather, rng: random.Random) -> Iterator[tuple[str, float | None]]:
    """Start a run and hit it until it has finished; yield each fault with its recovery."""
    run.start(weather.speed())
    while True:
        end_s = time.monotonic() + rng.expovariate(1 / MEAN_CALM_S)
        while run.is_alive and time.monotonic() < end_s:
            time.sleep(0.005)
        if not run.is_alive:
            code, err = run.ended()
            if is_finished(run):
                return
            raise SystemExit(f"a run ended by itself with exit code {code}:\n{err}")
        if (struck := weather.strike(run)) is not None:
            yield struck


def _differing_bits(expected: dict[str, Any], outcome: dict[str, Any]) -> int:
    """Count the bits in which policies differ, and one for each other thing that does."""
    bits = sum(expected[name] != outcome[name] for name in ("digest", "search", "updates"))
    names = expected["policies"].keys() | outcome["policies"].keys()
    for name in names:
        one, other = expected["policies"].get(name, b""), outcome["policies"].get(name, b"")
        bits += 8 * abs(len(one) - len(other)) + sum((a ^ b).bit_count() for a, b in zip(one, other, strict=False))
    return bits


def _small_disk(folder: Path, stack: ExitStack) -> Path | None:
    """Mount a small file system to be filled, if we may."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        _tell("no file system can be mounted (root can), so these are left out: " + ", ".join(NEED_MOUNT))
        return None
    stack.callback(subprocess.run, ["umount", "--lazy", str(disk)], check=False)
    return disk


def _print(report: Report) -> None:
    title = f"{report.faults} faults in {report.runs} runs, {report.minutes:.1f} minutes, seed {report.seed}"
    table = Table(title=title)
    for name in ("fault", "times", "recovery, median"):
        table.add_column(name, justify="left" if name == "fault" else "right")
    for kind, number in report.faults_by_kind.items():
        table.add_row(kind, str(number), _seconds(report.recovery_by_kind_s.get(kind)))
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table)
    if report.recovery_s:
        console.print(f"recovery: median {report.recovery_s['median']:.2f} s, worst {report.recovery_s['worst']:.2f} s")
    if report.left_out:
        console.print(f"left out: {', '.join(report.left_out)}")
    console.print(f"throughput kept: {report.throughput_kept:.0%}")
    console.print(f"episodes lost: {report.episodes_lost}")
    console.print(f"bits that differ: {report.bits_differ}")
    console.print(f"left behind: {', '.join(report.left_behind) or 'nothing'}")


def _seconds(value: float | None) -> str:
    return "the run had ended" if value is None else f"{value:.2f} s"


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
