"""A long run, watched for what grows: memory, file descriptors, threads, processes, shared memory.

python bench/soak.py --minutes 60

The run is `run.py` with its defaults (and what stands behind `--`), but for what would end it: episodes have no limit,
no order is given up, and most visits reach the threshold, so that it goes on picking orders. All its
processes are looked at together, each shared page counted once. What counts is the change from the middle of the first
quarter to the middle of the last one, after the caches have filled. Ended early (Ctrl-C, SIGTERM), it prints what it
has seen so far.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from rich.status import Status

ROOT = Path(__file__).parents[1]
SAMPLE_S = 5.0
START_S = 20.0
"""Before the first sample: processes start, environments are built."""


@dataclass(frozen=True)
class Sample:
    """All processes of a run together, at one moment."""

    pss_mib: float
    """Proportional set size: each shared page counted once."""
    parent_pss_mib: float
    """That of the process which learns and searches; the rest is the workers'."""
    file_descriptors: int
    threads: int
    processes: int
    shared_memory_kib: float
    """Of the run's segments in /dev/shm."""
    log_kib: float
    """Of the run's folder without checkpoints: this one is to grow."""


def main() -> int:
    """Run, watch, print; 1 if the run failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N", help="how long to watch [60]")
    parser.add_argument("--json", action="store_true", help="print one JSON object, every sample in it")
    parser.add_argument("run_options", nargs="*", metavar="OPTION", help="for run.py, behind --")
    options = parser.parse_args()
    if options.minutes <= 0:
        parser.error("--minutes must be above 0")
    with tempfile.TemporaryDirectory(prefix="cage2-soak-") as folder:
        command = [
            sys.executable,
            str(ROOT / "run.py"),
            f"--log-dir={folder}",
            "--total-episodes=1000000000",
            # else all 120 orders are used up or given up after ten to thirty minutes, and the run ends
            "--max-episodes-per-workflow=1000000000",
            "--patience=1000000000",
            "--compliance-threshold=0.4",
            "--quiet",
        ]
        process = subprocess.Popen(
            [*command, *options.run_options], cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            begin_s = time.monotonic()
            with Console(stderr=True).status("starting") as status:
                samples = _watch(process, Path(folder), options.minutes * 60, status)
            minutes = (time.monotonic() - begin_s) / 60
            episodes = _episodes(Path(folder))
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(timeout=120)
        left = [path.name for path in Path("/dev/shm").glob(f"c2p-{process.pid}-*")]  # noqa: S108  # its own segments
    if code != 130 or left:
        print(f"error: the run ended with exit code {code} and left {left or 'nothing'}", file=sys.stderr)
        return 1
    if options.json:
        rows = [asdict(sample) for sample in samples]
        print(json.dumps({"minutes": minutes, "episodes": episodes, "change": _change(samples), "rows": rows}))
    else:
        _print(samples, episodes, minutes)
    return 0


def _watch(process: subprocess.Popen[bytes], folder: Path, duration_s: float, status: Status) -> list[Sample]:
    """Look at a run again and again, until the time is over or somebody ends this bench."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    samples: list[Sample] = []
    ended.wait(min(START_S, duration_s / 4))
    end_s = time.monotonic() + duration_s
    while not samples or (time.monotonic() < end_s and not ended.is_set()):
        if process.poll() is not None:
            raise SystemExit(f"the run ended by itself, with exit code {process.returncode}")
        samples.append(_sample(process.pid, folder))
        left, memory = (end_s - time.monotonic()) / 60, samples[-1].pss_mib
        status.update(f"{left:.1f} min left, {memory:,.0f} MiB, {samples[-1].file_descriptors} descriptors")
        ended.wait(SAMPLE_S)
    return samples


def _sample(pid: int, folder: Path) -> Sample:
    pss = parent_pss = descriptors = threads = number = 0
    parent = psutil.Process(pid)
    for each in (parent, *parent.children(recursive=True)):
        with suppress(psutil.Error):  # it ended meanwhile
            pss += (own_pss := each.memory_full_info().pss)
            parent_pss += own_pss if each == parent else 0
            descriptors += each.num_fds()
            threads += each.num_threads()
            number += 1
    segments = Path("/dev/shm").glob(f"c2p-{pid}-*")  # noqa: S108  # the run's own segments
    logs = (path for path in folder.glob("*/*") if path.is_file())
    return Sample(
        pss_mib=pss / 2**20,
        parent_pss_mib=parent_pss / 2**20,
        file_descriptors=descriptors,
        threads=threads,
        processes=number,
        shared_memory_kib=sum(os.stat(path).st_blocks * 512 for path in segments) / 1024,  # noqa: PTH116
        log_kib=sum(path.stat().st_size for path in logs) / 1024,
    )


def _episodes(folder: Path) -> int:
    """Return the episodes that the run has learned from, by its log."""
    for log in folder.glob("*/training_log.csv"):
        header, *rows = log.read_text().splitlines()
        return int(rows[-1].split(",")[header.split(",").index("Total_Episodes")]) if rows else 0
    return 0


def _quarters(samples: list[Sample]) -> tuple[list[Sample], list[Sample]]:
    length = max(1, len(samples) // 4)
    return samples[:length], samples[-length:]


def _change(samples: list[Sample]) -> dict[str, dict[str, float]]:
    """Return the median of the first and of the last quarter, and the range, by figure."""
    first, last = _quarters(samples)
    return {
        field.name: {
            "first": statistics.median(getattr(sample, field.name) for sample in first),
            "last": statistics.median(getattr(sample, field.name) for sample in last),
            "least": min(getattr(sample, field.name) for sample in samples),
            "most": max(getattr(sample, field.name) for sample in samples),
        }
        for field in fields(Sample)
    }


def _print(samples: list[Sample], episodes: int, minutes: float) -> None:
    table = Table(title=f"{minutes:.1f} minutes, {episodes:,} episodes, {len(samples)} samples")
    for name in ("what", "first quarter", "last quarter", "least", "most"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for name, change in _change(samples).items():
        table.add_row(name.replace("_", " "), *(f"{value:,.1f}" for value in change.values()))
    Console(width=None if sys.stdout.isatty() else 100).print(table)


if __name__ == "__main__":
    raise SystemExit(main())
