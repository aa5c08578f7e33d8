"""What `info` prints: versions, machine, and what a run would allocate."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline.cage2.spec import EPISODE_STEPS
from pipeline.collect.record import HEADER, record_layout
from pipeline.persist.runs import describe_machine
from pipeline.policy.params import ACTOR

if TYPE_CHECKING:
    from pipeline.config import Config

SHARED_MEMORY = Path("/dev/shm")


def print_info(config: Config) -> None:
    """Print versions, machine and sizes for a configuration to the terminal."""
    console = Console(file=sys.stdout, highlight=False)
    machine = describe_machine()
    table = Table.grid(padding=(0, 2))
    for name, version in machine["packages"].items():
        table.add_row(name, version or "not installed")
    table.add_row("python", machine["python"])
    table.add_row("platform", machine["platform"])
    table.add_row("processor", f"{machine['processor']}, {machine['num_cores']} cores")
    if SHARED_MEMORY.is_dir():
        table.add_row("/dev/shm", f"{_mib(shutil.disk_usage(SHARED_MEMORY).free)} free")
    record = record_layout(EPISODE_STEPS)
    ring_bytes = EpisodeRing.size_needed(HEADER, record, config.num_slots)
    board_bytes = WeightBoard.size_needed(ACTOR.num_values, config.num_slabs)
    table.add_row()
    table.add_row("an episode", f"{record.size_bytes} bytes, its header {HEADER.size_bytes} ({EPISODE_STEPS} steps)")
    table.add_row("weights", f"{ACTOR.num_values * 4} bytes a version")
    table.add_row("workers", f"{config.workers}, {config.task_size} episodes a task")
    table.add_row("episode ring", f"{config.num_slots} slots, {_mib(ring_bytes)}")
    table.add_row("weight board", f"{config.num_slabs} versions, {_mib(board_bytes)}")
    table.add_row("shared memory", f"{_mib(ring_bytes + board_bytes)} in all")
    console.print(table)


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:.1f} MiB"
