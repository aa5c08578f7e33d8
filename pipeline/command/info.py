"""`run.py info`: versions, machine, and what a run would allocate."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.command.options import FIELDS, add_file_option, add_options, given_options, make_config
from pipeline.command.process import OK
from pipeline.machine import describe_machine

if TYPE_CHECKING:
    import argparse

    from pipeline.config import Config

OPTIONS: tuple[str, ...] = tuple(FIELDS)
SHARED_MEMORY = Path("/dev/shm")


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `info` its options."""
    parser.usage = "run.py info [OPTION ...]"
    parser.description = "Print versions, machine, and what a run would allocate."
    add_file_option(parser)
    add_options(parser, OPTIONS)


def run(options: argparse.Namespace) -> int:
    """Print it for the run that the options ask for.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: An option doesn't fit.
    """
    print_info(make_config(given_options(options), options.config))
    return OK


def print_info(config: Config) -> None:
    """Print versions, machine and sizes for a configuration to the terminal."""
    # what a mistaken option, or the help, need not wait for
    from native_buffers.ring import EpisodeRing
    from native_buffers.weights import WeightBoard
    from pipeline.collect.methods import game_spec
    from pipeline.play.record import HEADER

    machine = describe_machine()
    game = game_spec(config)
    record, num_weights = game.record, game.shape.actor.num_values
    ring_bytes = EpisodeRing.size_needed(HEADER, record, config.num_slots)
    board_bytes = WeightBoard.size_needed(num_weights, config.num_slabs)
    rows = {
        **{name: version or "not installed" for name, version in machine["packages"].items()},
        "python": machine["python"],
        "platform": machine["platform"],
        "processor": f"{machine['processor']}, {machine['num_cores']} cores{_quota(machine['cpu_quota'])}",
        "memory": _memory(machine["memory_limit_bytes"]),
        "/dev/shm": f"{_mib(shutil.disk_usage(SHARED_MEMORY).free)} free" if SHARED_MEMORY.is_dir() else "none",
        "": "",
        "an episode": f"{record.size_bytes} bytes, its header {HEADER.size_bytes} ({game.num_steps} steps)",
        "weights": f"{num_weights * 4} bytes a version",
        "collector": f"{config.collector}, {_transport(config)}",
        "workers": f"{config.num_players}, {config.task_size} episodes a task",
        "episode ring": f"{config.num_slots} slots, {_mib(ring_bytes)}",
        "weight board": f"{config.num_slabs} versions, {_mib(board_bytes)}",
        "shared memory": f"{_mib(ring_bytes + board_bytes)} in all",
    }
    width = max(map(len, rows))
    sys.stdout.writelines(f"{name:<{width}}  {value}".rstrip() + "\n" for name, value in rows.items())


def _quota(quota: float | None) -> str:
    return "" if quota is None else f", for the container grants {quota:g}"


def _memory(limit_bytes: int | None) -> str:
    return "no limit" if limit_bytes is None else f"the container grants {_mib(limit_bytes)}"


def _transport(config: Config) -> str:
    """Return how episodes reach the parent."""
    if config.collector == "executor":
        return "through shared memory" if config.transport == "shm" else "pickled"
    return {
        "sequential": "in this process",
        "synchronous": "through shared memory, step by step",
        "ray": f"through Ray's object store, {config.ray_address}",
    }[config.collector]


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f} MiB"
