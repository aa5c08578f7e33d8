"""What the page costs: a run that is looked at, the time to open long runs, and memory while it stays open.

python bench/watch.py --seconds 120 --rounds 3 --minutes 60

A run's speed is measured with a page open beside it and without, in turn, each round in the other order. The page is
one in a browser where there is one, else a client that listens to what it is told. Opening is from asking for a run
that the server doesn't know of to all that the page draws. Memory and processor time are the server's, and the
browser's if there is one.
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
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
from parts.long_run import write_long_run
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
BROWSER_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
BROWSER_ARGUMENTS += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
WARM_S = 15.0
"""Of a run that are not measured: it starts, and compiles where it has to."""
SAMPLE_S = 10.0


@dataclass(frozen=True)
class Speed:
    """Episodes/s of a run."""

    page: bool
    episodes_per_s: float


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
    browser = None if options.no_browser else BROWSER
    with tempfile.TemporaryDirectory(prefix="cage2-watch-") as folder:
        log_dir = Path(folder)
        openings = [_opening(log_dir, int(each)) for each in options.episodes.split(",") if each]
        speeds, memory = [], []
        if options.rounds or options.minutes:
            with _run(log_dir, options.workers), _server(log_dir) as (address, server):
                time.sleep(min(WARM_S, options.seconds))
                for number in range(options.rounds):
                    speeds += _speeds(log_dir, address, options.seconds, browser, number)
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
    with _server(log_dir / "long") as (address, server), httpx.Client(timeout=300) as client:
        client.get(address)
        client.get(httpx.URL(address).join("/api/runs"))
        started_s, before_s = time.monotonic(), _processor_s(server.pid)
        told = client.get(httpx.URL(address).join(f"/api/runs/{run_dir.name}/snapshot"))
        seconds, processor_s = time.monotonic() - started_s, _processor_s(server.pid) - before_s
    shutil.rmtree(run_dir)
    return Opening(episodes, seconds, processor_s, len(told.content) / 1024)


def _speeds(log_dir: Path, address: str, seconds: float, browser: str | None, number: int) -> Iterator[Speed]:
    """Yield the run's speed with a page and without, in turn."""
    for with_page in (True, False) if number % 2 else (False, True):
        print(f"round {number}, {'with' if with_page else 'without'} a page ...", file=sys.stderr, flush=True)
        with _page(address, browser) if with_page else contextlib.nullcontext():
            time.sleep(min(5.0, seconds))  # until it stands
            before, started_s = _episodes(log_dir), time.monotonic()
            time.sleep(seconds)
            num, passed_s = _episodes(log_dir) - before, time.monotonic() - started_s
        yield Speed(with_page, num / passed_s)


def _memory(address: str, server: subprocess.Popen[str], minutes: float, browser: str | None) -> Iterator[Memory]:
    """Yield what server and browser take while a page stays open on a run that goes on."""
    if minutes <= 0:
        return
    with _page(address, browser) as page:
        processes = [server.pid, *([page.pid] if page else [])]
        started_s, before = time.monotonic(), [_processor_s(pid) for pid in processes]
        while (passed_s := time.monotonic() - started_s) < 60 * minutes:
            time.sleep(min(SAMPLE_S, 60 * minutes))
            taken = [
                (_processor_s(pid) - at_first) / (time.monotonic() - started_s)
                for pid, at_first in zip(processes, before, strict=True)
            ]
            mib = [_mib(pid) for pid in processes]
            yield Memory(passed_s / 60, mib[0], sum(mib[1:]), taken[0], sum(taken[1:]))


@contextlib.contextmanager
def _run(log_dir: Path, workers: int | None) -> Iterator[None]:
    """Train without end, and wait until that goes on."""
    command = [sys.executable, str(ROOT / "run.py"), f"--log-dir={log_dir}", "--run-name=run", "--quiet"]
    command += ["--total-episodes=1000000000", "--max-episodes-per-workflow=1000000000", "--patience=1000000000"]
    command += ["--compliance-threshold=0.4", *([f"--workers={workers}"] if workers else [])]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _episodes(log_dir):
            if process.poll() is not None:
                raise SystemExit("the run didn't start")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _server(log_dir: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    command = [sys.executable, str(ROOT / "run.py"), "watch", f"--log-dir={log_dir}", "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.terminate()


@contextlib.contextmanager
def _page(address: str, browser: str | None) -> Iterator[subprocess.Popen[bytes] | None]:
    """Have a page open on the run's learning curves, the view that draws most."""
    if browser is None:
        with _listening(address):
            yield None
        return
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *BROWSER_ARGUMENTS, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
        process = subprocess.Popen([*command, f"{address}#learning/run"], stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _listening(address: str) -> Iterator[None]:
    has_begun, is_over = threading.Event(), threading.Event()

    def listen() -> None:
        with contextlib.suppress(httpx.TransportError), httpx.Client(timeout=600) as client:  # the server may end first
            client.get(address)
            with client.stream("GET", httpx.URL(address).join("/api/runs/run/news")) as told:
                for _ in told.iter_lines():
                    has_begun.set()
                    if is_over.is_set():
                        return

    threading.Thread(target=listen, daemon=True).start()
    has_begun.wait(60)
    yield
    is_over.set()


def _episodes(log_dir: Path) -> int:
    from pipeline.reading.glance import glance

    return glance(log_dir / "run", None).episodes


def _mib(pid: int) -> float:
    """Return the proportional set size of a process and all that it has started."""
    process = psutil.Process(pid)
    total = 0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += each.memory_full_info().pss
    return total / 2**20


def _processor_s(pid: int) -> float:
    """Return the processor time of a process and all that it has started, seconds."""
    process = psutil.Process(pid)
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def _print(openings: list[Opening], speeds: list[Speed], memory: list[Memory]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 100)
    if openings:
        table = Table("episodes", "seconds", "processor seconds", "KiB sent", title="opening a run")
        for opening in openings:
            seconds = f"{opening.seconds:.2f}", f"{opening.processor_s:.2f}"
            table.add_row(f"{opening.episodes:,}", *seconds, f"{opening.sent_kib:,.0f}")
        console.print(table)
    if speeds:
        table = Table("round", "without", "with a page", "difference", title="episodes/s of a run")
        ratios = []
        for number in range(0, len(speeds), 2):
            pair = {speed.page: speed.episodes_per_s for speed in speeds[number : number + 2]}
            ratios.append(pair[True] / pair[False] - 1)
            table.add_row(str(number // 2), f"{pair[False]:.1f}", f"{pair[True]:.1f}", f"{ratios[-1]:+.1%}")
        console.print(table)
        if len(ratios) > 1:
            stderr = statistics.stdev(ratios) / len(ratios) ** 0.5
            console.print(f"difference: {statistics.mean(ratios):+.1%} ± {stderr:.1%} (standard error over rounds)")
    if memory:
        names = ("minutes", "server MiB", "browser MiB", "server cores", "browser cores")
        table = Table(*names, title="a page that stays open")
        for sample in memory[:: max(1, len(memory) // 12)]:
            cores = f"{sample.server_cores:.3f}", f"{sample.browser_cores:.3f}"
            table.add_row(f"{sample.minutes:.1f}", f"{sample.server_mib:.0f}", f"{sample.browser_mib:.0f}", *cores)
        console.print(table)


if __name__ == "__main__":
    raise SystemExit(main())
