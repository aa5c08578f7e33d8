"""How long starts take, of a run, an evaluation, an environment and `--help`, with machine code and without.

    python bench/start.py [--base ../other-checkout] [--rounds 3] [--starts run gym] [--json]

Each start is a process of its own. The first of a round finds an empty folder for machine code (cold), the second what
the first has left there (warm). With `--base` the same is done in another checkout of the project, in turn with this
one: on a machine that others keep busy, the ratios are what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.machine import processor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HERE = Path(__file__).parents[1]
GYM = """
import gymnasium
env = gymnasium.make("pipeline.cage2.gym:Cage2-v0")
env.reset(seed=0)
env.step(0)
"""
STARTS: Mapping[str, tuple[str, ...]] = {
    "run": ("run.py", "--workers", "2", "--total-episodes", "128", "--json-logs", "--log-dir", "{folder}"),
    "evaluate": ("run.py", "evaluate", "restore", "--episodes", "1", "--workers", "1"),
    "gym": ("-c", GYM),
    "help": ("run.py", "--help"),
}
"""Arguments of Python, by name."""
MOMENTS: Mapping[str, str] = {"first_episode": "first episode", "update_result": "first update"}
"""Events of a run whose first time is told, besides each process's end."""


class StartFailedError(Exception):
    """What was started ended with an error; the message is what it printed."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a moment of a start came to: seconds since the process was started, the median over the rounds."""

    start: str
    moment: str
    is_cold: bool
    seconds: float
    base_s: float | None
    """In the other checkout."""
    ratio: float | None
    """The median of the rounds' ratios, this checkout's seconds to the other's."""


def moments(start: str, checkout: Path, kept: str) -> dict[str, float]:
    """Start something, wait for its end, and return when each moment came, in seconds.

    Args:
        start: One of `STARTS`.
        checkout: Where its sources are.
        kept: The folder for machine code.

    Raises:
        StartFailedError: It ended with an error.
    """
    env = {**os.environ, "NUMBA_CACHE_DIR": kept, "PYTHONPATH": str(checkout)}
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, *(argument.format(folder=folder) for argument in STARTS[start])]
        started_s = time.monotonic()
        with subprocess.Popen(
            command, cwd=checkout, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            lines = []
            for line in process.stdout or ():
                lines.append(line)
                event = json.loads(line).get("event") if line.startswith("{") else None
                if event in MOMENTS:
                    found.setdefault(MOMENTS[event], time.monotonic() - started_s)
        found["end"] = time.monotonic() - started_s
    if process.returncode:
        raise StartFailedError("".join(lines))
    return found


def measured(start: str, checkouts: Sequence[Path], rounds: int) -> list[Row]:
    """Return a start's rows: cold and warm, the checkouts in turn, this one first."""
    taken: dict[tuple[str, bool], list[list[float]]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as kept:
            for is_cold in (True, False):
                for place, checkout in enumerate(checkouts):
                    for moment, seconds in moments(start, checkout, f"{kept}/{place}").items():
                        taken.setdefault((moment, is_cold), [[] for _ in checkouts])[place].append(seconds)
    rows = []
    for (moment, is_cold), (ours, *others) in taken.items():
        base_s = statistics.median(others[0]) if others else None
        ratio = statistics.median(a / b for a, b in zip(ours, others[0], strict=True)) if others else None
        rows.append(Row(start, moment, is_cold, statistics.median(ours), base_s, ratio))
    return rows


def main() -> None:
    """Print a line per moment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, help="another checkout, to be compared with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", nargs="+", choices=tuple(STARTS), default=tuple(STARTS))
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    checkouts = [HERE, *([options.base.absolute()] if options.base else [])]
    rows = []
    if not options.json:
        print(f"{processor()}; seconds, medians of {options.rounds} rounds\n")
        print("| start | machine code | moment | here | base | here / base |\n| --- | --- | --- | ---: | ---: | ---: |")
    for start in options.starts:
        for row in measured(start, checkouts, options.rounds):
            rows.append(row)
            if not options.json:
                base = f"{row.base_s:.2f} | {row.ratio:.2f}" if row.base_s is not None else "- | -"
                print(
                    f"| {start} | {'none' if row.is_cold else 'kept'} | {row.moment} | {row.seconds:.2f} | {base} |",
                    flush=True,
                )
    if options.json:
        told = [{name: getattr(row, name) for name in Row.__slots__} for row in rows]
        print(json.dumps({"processor": processor(), "rows": told}))


if __name__ == "__main__":
    main()
