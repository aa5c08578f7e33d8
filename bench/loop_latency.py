"""How long a pipeline keeps the event loop that it shares: the lag of a heartbeat beside a run.

python bench/loop_latency.py --seconds 60

The heartbeat asks to be woken every millisecond; its lag is how much later than asked that happens. What the machine
adds by itself is measured first, by the same heartbeat with nothing beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import uvloop
from parts.heartbeat import lags_s
from rich.console import Console
from rich.table import Table

from pipeline import Config, Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

UPDATES = (32, 1000)
"""Episodes per update: the default, and what makes work on the loop longer."""
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@dataclass(frozen=True)
class Row:
    """Lags of one heartbeat, milliseconds."""

    beside: str
    loop: str
    beats: int
    median_ms: float
    p99_ms: float
    p999_ms: float
    worst_ms: float
    episodes: int


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, metavar="N", help="for each row [20]")
    parser.add_argument("--workers", type=int, metavar="N", help="worker processes [one per core]")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    options = parser.parse_args()
    if options.seconds <= 0:
        parser.error("--seconds must be above 0")
    rows = []
    for name, factory in LOOPS.items():
        for episodes_per_update in (None, *UPDATES):
            beside = f"updates of {episodes_per_update} episodes" if episodes_per_update else "nothing"
            print(f"{name}, {beside} ...", file=sys.stderr, flush=True)
            with asyncio.Runner(loop_factory=factory) as runner, tempfile.TemporaryDirectory() as folder:
                config = None
                if episodes_per_update:
                    workers = {} if options.workers is None else {"workers": options.workers}
                    config = Config(
                        **workers,
                        episodes_per_update=episodes_per_update,
                        total_episodes=10**9,
                        log_dir=Path(folder),
                        checkpoint_interval_s=1.0,
                    )
                lags, episodes = runner.run(_measure(config, options.seconds))
            median, p99, p999, worst = (1000 * np.quantile(lags, (0.5, 0.99, 0.999, 1.0))).tolist()
            rows.append(Row(beside, name, len(lags), median, p99, p999, worst, episodes))
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows]}))
    else:
        _print(rows)
    return 0


async def _measure(config: Config | None, seconds: float) -> tuple[list[float], int]:
    """Return the lags of a heartbeat, seconds, and how many episodes a run beside it learned from meanwhile."""
    if config is None:
        return await lags_s(seconds), 0
    async with Pipeline(config) as pipeline:
        async for _ in pipeline.events():
            if pipeline.statistics().total_updates:
                break  # it trains; how it starts is another matter
        before = pipeline.statistics().total_episodes
        lags = await lags_s(seconds)
        return lags, pipeline.statistics().total_episodes - before


def _print(rows: list[Row]) -> None:
    table = Table(title="lag of a heartbeat on the pipeline's event loop")
    for name in ("beside", "loop", "median", "99 %", "99.9 %", "worst", "episodes"):
        table.add_column(name, justify="left" if name in {"beside", "loop"} else "right")
    for row in rows:
        lags = (f"{value:.2f} ms" for value in (row.median_ms, row.p99_ms, row.p999_ms, row.worst_ms))
        table.add_row(row.beside, row.loop, *lags, str(row.episodes))
    Console(width=None if sys.stdout.isatty() else 100).print(table)


if __name__ == "__main__":
    raise SystemExit(main())
