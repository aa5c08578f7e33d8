"""What the page costs: a run that is looked at, the time to open long runs, and memory while it stays open.

python bench/watch.py --seconds 20 --rounds 12 --minutes 60

A run is measured with a page open beside it and without, in turn, each round in the other order: the processor time
that its own processes take for an episode, which other work on the machine hardly changes, and episodes/s, which it
does. What server and browser compute is theirs, and is told beside: where no core is idle, a run waits for it. The page
is one in a browser where there is one, else a client that listens to what it is told. Opening is from asking for a run
that the server doesn't know of to all that the page draws.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from parts.browser import find_browser, open_page, page_server
from parts.long_run import write_long_run
from parts.meter import processor_s, pss_mib
from rich.console import Console
from rich.table import Table

from pipeline.machine import processor
from pipeline.reading.glance import glance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]
WARM_S = 15.0
"""Of a run that are not measured: it starts, and compiles where it has to."""
OPENING_S, CLOSING_S = 20.0, 2.0
"""Until a page stands, on a busy machine, or has gone: to start a browser takes more than to keep it."""
SAMPLE_S = 10.0
POLL_S = 0.02
"""Between looks at whether an update has been written: a measurement begins and ends with one."""
STEADY = ("--workflow=enterprise -> op_server -> op_host -> user -> defender",)
"""Options of a run of one visit without end: each of its updates costs the same."""
SEARCH = ("--max-episodes-per-workflow=1000000000", "--patience=1000000000", "--compliance-threshold=0.4")
"""Of one whose page grows: visit after visit."""


@dataclass(frozen=True)
class Speed:
    """What a run did, from the writing of one update to that of another."""

    page: bool
    episodes: int
    seconds: float
    run_s: float
    """Processor time, user and system, of the run's processes."""
    server_s: float
    """Of the server."""
    browser_s: float
    """Of the browser."""

    @property
    def episodes_per_s(self) -> float:
        """By the clock."""
        return self.episodes / self.seconds

    @property
    def processor_ms(self) -> float:
        """Of the run, for an episode."""
        return 1000 * self.run_s / self.episodes


@dataclass(frozen=True)
class Opening:
    """How long it took to open a run."""

    episodes: int
    seconds: float
    processor_s: float
    """That the server computed meanwhile: the same on a busy machine."""
    sent_kib: float


@dataclass(frozen=True)
class Memory:
    """While the page was open."""

    minutes: float
    server_mib: float
    browser_mib: float
    server_cores: float
    """Processor time by time, since the page was open."""
    browser_cores: float


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="of each measurement of speed [60]")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="with a page and without, so often [3]")
    parser.add_argument("--episodes", default="100000,10000000", metavar="N,...", help="of runs to open [%(default)s]")
    parser.add_argument(
        "--minutes", type=float, default=0.0, metavar="N", help="that a page stays open [0: not at all]"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="of the runs [one per core]")
    parser.add_argument("--no-browser", action="store_true", help="a client that listens stands in for the page")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    options = parser.parse_args()
    browser = None if options.no_browser else find_browser()
    with tempfile.TemporaryDirectory(prefix="cage2-watch-") as folder:
        log_dir = Path(folder)
        openings = [_opening(log_dir, int(each)) for each in options.episodes.split(",") if each]
        speeds: list[Speed] = []
        memory: list[Memory] = []
        if options.rounds:
            steady = log_dir / "steady"
            with page_server(steady) as (address, server), _run(steady, options.workers, STEADY) as run:
                time.sleep(min(WARM_S, options.seconds))
                for number in range(options.rounds):
                    speeds += _speeds(run, server, address, options.seconds, browser, number)
        if options.minutes > 0:
            search = log_dir / "search"
            with page_server(search) as (address, server), _run(search, options.workers, SEARCH):
                memory += _memory(address, server, options.minutes, browser)
    if options.json:
        found = {"openings": openings, "speeds": speeds, "memory": memory}
        print(json.dumps({name: [asdict(each) for each in rows] for name, rows in found.items()}))
    else:
        _print(openings, speeds, memory)
    return 0


def _opening(log_dir: Path, episodes: int) -> Opening:
    print(f"a run of {episodes:,} episodes ...", file=sys.stderr, flush=True)
    run_dir = write_long_run(log_dir / "long", f"run-{episodes}", episodes)
    with page_server(log_dir / "long") as (address, server), httpx.Client(timeout=300) as client:
        client.get(address)
        client.get(httpx.URL(address).join("/api/runs"))
        started_s, before_s = time.monotonic(), processor_s(server.pid)
        told = client.get(httpx.URL(address).join(f"/api/runs/{run_dir.name}/snapshot"))
        seconds, computed_s = time.monotonic() - started_s, processor_s(server.pid) - before_s
    shutil.rmtree(run_dir)
    return Opening(episodes, seconds, computed_s, len(told.content) / 1024)


def _speeds(
    run: Running, server: subprocess.Popen[str], address: str, seconds: float, browser: str | None, number: int
) -> Iterator[Speed]:
    """Yield what the run does with a page and without, in turn."""
    for with_page in (True, False) if number % 2 else (False, True):
        print(f"round {number}, {'with' if with_page else 'without'} a page ...", file=sys.stderr, flush=True)
        with open_page(address, browser) if with_page else contextlib.nullcontext() as page:
            time.sleep(min(OPENING_S if with_page else CLOSING_S, seconds))
            pids = [run.pid, server.pid, *([page.pid] if page else [])]
            before, started_s, processors_s = run.next_update(), time.monotonic(), [*map(processor_s, pids)]
            time.sleep(seconds)
            episodes = run.next_update() - before
            passed_s = time.monotonic() - started_s
            taken_s = [processor_s(pid) - at_first for pid, at_first in zip(pids, processors_s, strict=True)]
        yield Speed(with_page, episodes, passed_s, taken_s[0], taken_s[1], sum(taken_s[2:]))


def _memory(address: str, server: subprocess.Popen[str], minutes: float, browser: str | None) -> Iterator[Memory]:
    """Yield what server and browser take while a page stays open on a run that goes on."""
    with open_page(address, browser) as page:
        processes = [server.pid, *([page.pid] if page else [])]
        started_s, before = time.monotonic(), [processor_s(pid) for pid in processes]
        while (passed_s := time.monotonic() - started_s) < 60 * minutes:
            time.sleep(min(SAMPLE_S, 60 * minutes))
            taken = [
                (processor_s(pid) - at_first) / (time.monotonic() - started_s)
                for pid, at_first in zip(processes, before, strict=True)
            ]
            mib = [pss_mib(pid) for pid in processes]
            yield Memory(passed_s / 60, mib[0], sum(mib[1:]), taken[0], sum(taken[1:]))


@dataclass(frozen=True)
class Running:
    """A run that goes on."""

    pid: int
    run_dir: Path

    def episodes(self) -> int:
        """Return what it has written."""
        return glance(self.run_dir, None).episodes

    def next_update(self) -> int:
        """Wait until it writes an update; return its episodes."""
        before = self.episodes()
        while (now := self.episodes()) == before:
            time.sleep(POLL_S)
        return now


@contextlib.contextmanager
def _run(log_dir: Path, workers: int | None, options: Sequence[str]) -> Iterator[Running]:
    """Train without end, and wait until that goes on."""
    command = [sys.executable, str(ROOT / "run.py"), f"--log-dir={log_dir}", "--run-name=run", "--quiet"]
    command += ["--total-episodes=1000000000", *options, *([f"--workers={workers}"] if workers else [])]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    running = Running(process.pid, log_dir / "run")
    try:
        while not running.episodes():
            if process.poll() is not None:
                raise SystemExit("the run didn't start")
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _print(openings: list[Opening], speeds: list[Speed], memory: list[Memory]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100)
    if openings:
        table = Table("episodes", "seconds", "processor seconds", "KiB sent", title="opening a run")
        for opening in openings:
            seconds = f"{opening.seconds:.2f}", f"{opening.processor_s:.2f}"
            table.add_row(f"{opening.episodes:,}", *seconds, f"{opening.sent_kib:,.0f}")
        console.print(table)
    if speeds:
        _print_speeds(console, speeds)
    if memory:
        names = ("minutes", "server MiB", "browser MiB", "server cores", "browser cores")
        table = Table(*names, title="a page that stays open")
        for sample in memory[:: max(1, len(memory) // 12)]:
            cores = f"{sample.server_cores:.3f}", f"{sample.browser_cores:.3f}"
            table.add_row(f"{sample.minutes:.1f}", f"{sample.server_mib:.0f}", f"{sample.browser_mib:.0f}", *cores)
        console.print(table)


def _print_speeds(console: Console, speeds: list[Speed]) -> None:
    names = (
        "round",
        "ms, without",
        "ms, with a page",
        "difference",
        "episodes/s, without",
        "with a page",
        "difference",
    )
    table = Table(*names, title="a run: processor milliseconds for an episode; episodes/s")
    computed, clock = [], []
    for number in range(0, len(speeds), 2):
        pair = {speed.page: speed for speed in speeds[number : number + 2]}
        shown, alone = pair[True], pair[False]
        computed.append(shown.processor_ms / alone.processor_ms - 1)
        clock.append(shown.episodes_per_s / alone.episodes_per_s - 1)
        table.add_row(
            str(number // 2),
            *(f"{alone.processor_ms:.3f}", f"{shown.processor_ms:.3f}", f"{computed[-1]:+.1%}"),
            *(f"{alone.episodes_per_s:.1f}", f"{shown.episodes_per_s:.1f}", f"{clock[-1]:+.1%}"),
        )
    console.print(table)
    for name, ratios in (("processor time for an episode", computed), ("episodes/s", clock)):
        if len(ratios) > 1:
            stderr = statistics.stdev(ratios) / len(ratios) ** 0.5
            median = statistics.median(ratios)
            console.print(
                f"{name}: {statistics.mean(ratios):+.2%} ± {stderr:.2%} with a page (mean and standard error over "
                f"rounds; median {median:+.2%}, from {min(ratios):+.1%} to {max(ratios):+.1%})"
            )
    watched = [speed for speed in speeds if speed.page]
    seconds = sum(speed.seconds for speed in watched)
    console.print(
        f"beside it, the server took {sum(speed.server_s for speed in watched) / seconds:.3f} of a core, the browser "
        f"{sum(speed.browser_s for speed in watched) / seconds:.3f}; {processor()}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
