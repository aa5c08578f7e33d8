"""What more visits at a time, and more learner threads, are worth: updates per second, and what the event loop adds.

python bench/scaling.py --seconds 20
python bench/scaling.py --kinds set --visits 1,16 --json

Two kinds of rows:

  real   whole runs with PPO: one visit on one thread, one on all cores (its critic has a thread then), and the default
         number of visits on all cores. Efficiency is against as many times the first row as there are threads.
  set    the same runs, but an update sleeps for a set time in place of PPO, so that a machine with few cores can have
         many learners; all else is real. Efficiency is against learners that do nothing but that. Their batches are
         small, for the workers share the machine with the loop.

The lag is that of a heartbeat on the loop, at 99.9 %. The last row is what the loop sustains: updates that take no
time, of one visit after the other in as many places as there are visits in the row before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from parts.heartbeat import lags_s
from rich.console import Console
from rich.table import Table

from pipeline import Config, Pipeline
from pipeline.command.options import Parser, UsageError
from pipeline.config import MAX_CONCURRENT_VISITS
from pipeline.machine import num_cores
from pipeline.ppo import update as ppo

if TYPE_CHECKING:
    from pipeline.policy.store import PolicyState
    from pipeline.ppo.batch import Batch

KINDS = ("real", "set")
VISITS = (1, 4, 16, 64)
UPDATE_MS = 13.0
SET_EPISODES_PER_UPDATE = 4
SET_EPISODE_STEPS = 30
FOREVER = 10**12
MAX_VISITS = 120


@dataclass(frozen=True, slots=True)
class Row:
    """What so many visits at a time came to."""

    kind: str
    concurrent_visits: int
    learner_threads: int
    update_ms: float | None
    """Of an update that sleeps."""
    updates_per_s: float
    episodes_per_s: float
    efficiency: float | None
    """Of the updates that there could be, 0 to 1."""
    loop_lag_ms_999: float


def main() -> int:
    """Measure, print; return the exit status."""
    try:
        options = _options()
        rows = _measure(options)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
    else:
        _print(rows)
    return 0


def _options() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, metavar="N", help="for each row [20]")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of rows [{','.join(KINDS)}]")
    visits = ",".join(map(str, VISITS))
    parser.add_argument("--visits", default=visits, help=f"at a time, for set rows [{visits}]")
    parser.add_argument(
        "--update-ms", type=float, default=UPDATE_MS, metavar="N", help=f"that a set update takes [{UPDATE_MS:.0f}]"
    )
    parser.add_argument("--workers", type=int, default=num_cores(), metavar="N", help="worker processes [one per core]")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    options.kinds = options.kinds.split(",")
    if unknown := set(options.kinds) - set(KINDS):
        raise UsageError(f"unknown kind {', '.join(sorted(unknown))}: choose from {', '.join(KINDS)}")
    try:
        options.visits = [int(each) for each in options.visits.split(",")]
    except ValueError:
        raise UsageError(f"--visits is numbers, as in {visits}") from None
    if not all(1 <= each <= MAX_VISITS for each in options.visits):
        raise UsageError(f"--visits are 1 to {MAX_VISITS} each")
    if options.seconds <= 0 or options.update_ms < 0 or options.workers < 1:
        raise UsageError("--seconds is above 0, --update-ms 0 or more, --workers at least 1")
    return options


def _measure(options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    if "real" in options.kinds:
        for visits, threads in dict.fromkeys(((1, 1), (1, num_cores()), (MAX_CONCURRENT_VISITS, num_cores()))):
            rates = _run(options, visits, threads, None)
            first = rows[0].updates_per_s if rows else rates[0]
            rows.append(Row("real", visits, threads, None, *rates[:2], rates[0] / (threads * first), rates[2]))
    if "set" in options.kinds:
        for visits in options.visits:
            rates = _run(options, visits, visits, options.update_ms)
            ideal = 1000 * visits / options.update_ms if options.update_ms else None
            efficiency = rates[0] / ideal if ideal else None
            rows.append(Row("set", visits, visits, options.update_ms, *rates[:2], efficiency, rates[2]))
        rates = _run(options, options.visits[-1], num_cores(), 0.0)
        rows.append(Row("loop", options.visits[-1], num_cores(), 0.0, *rates[:2], None, rates[2]))
    return rows


def _run(options: argparse.Namespace, visits: int, threads: int, update_ms: float | None) -> tuple[float, float, float]:
    """Return updates and episodes per second, and the loop's lag at 99.9 %, milliseconds, of a run that goes on."""
    print(f"{visits} visits, {threads} learner threads ...", file=sys.stderr, flush=True)
    small: dict[str, Any] = {"episodes_per_update": SET_EPISODES_PER_UPDATE, "episode_steps": SET_EPISODE_STEPS}
    with tempfile.TemporaryDirectory() as folder:
        config = Config(
            **({} if update_ms is None else small),
            concurrent_visits=visits,
            learner_threads=threads,
            workers=options.workers,
            total_episodes=FOREVER,
            episodes_per_visit=FOREVER // MAX_VISITS,  # so that each place has enough for one
            max_episodes_per_workflow=FOREVER,
            patience=FOREVER,
            finals_share=0,
            log_dir=Path(folder),
        )
        ours = ppo.update
        if update_ms is not None:
            ppo.update = _sleeping(update_ms / 1000)
        try:
            return asyncio.run(_go_on(config, options.seconds))
        finally:
            ppo.update = ours


def _sleeping(seconds: float) -> Any:
    def update(policy: PolicyState, batch: Batch, *_: object, **__: object) -> ppo.UpdateMetrics:
        time.sleep(seconds)
        policy.num_updates += 1
        policy.num_episodes += batch.num_episodes
        return ppo.UpdateMetrics(0.0, 0.0, 0.0, 0.0, 0.0, 1, 0.0)

    return update


async def _go_on(config: Config, seconds: float) -> tuple[float, float, float]:
    async with Pipeline(config) as pipeline:
        await _trained(pipeline, 2 * config.num_places)  # how it starts is another matter
        before, before_s = pipeline.statistics(), time.monotonic()
        lags = await lags_s(seconds)
        await _trained(pipeline, before.total_updates + 1)
        after, spent_s = pipeline.statistics(), time.monotonic() - before_s
    return (
        (after.total_updates - before.total_updates) / spent_s,
        (after.total_episodes - before.total_episodes) / spent_s,
        1000 * float(np.quantile(lags, 0.999)),
    )


async def _trained(pipeline: Pipeline, num_updates: int) -> None:
    """Wait until a run has so many updates."""
    events = pipeline.events()
    while pipeline.statistics().total_updates < num_updates:
        await anext(events)


def _print(rows: list[Row]) -> None:
    table = Table(title=f"learners on {num_cores()} cores")
    for name in ("kind", "visits", "threads", "update", "updates/s", "episodes/s", "efficiency", "loop lag, 99.9 %"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for row in rows:
        table.add_row(
            row.kind,
            str(row.concurrent_visits),
            str(row.learner_threads),
            "PPO" if row.update_ms is None else f"{row.update_ms:.0f} ms",
            f"{row.updates_per_s:.1f}",
            f"{row.episodes_per_s:,.0f}",
            "" if row.efficiency is None else f"{row.efficiency:.0%}",
            f"{row.loop_lag_ms_999:.1f} ms",
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table)


if __name__ == "__main__":
    raise SystemExit(main())
