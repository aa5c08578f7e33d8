"""`run.py doctor`: what is installed and what is missing, the machine, what a run would allocate, and what to mend."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pipeline.cage2.attackers.reference import is_reference
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.command.options import FIELDS, add_file_option, add_options, given_options, make_config
from pipeline.command.process import FAILED, OK, printing_to_stderr
from pipeline.errors import PipelineError, SetupError
from pipeline.extras import EXTRAS
from pipeline.machine import describe_machine, package_version
from pipeline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pipeline.config import Config

OPTIONS: tuple[str, ...] = tuple(FIELDS)
SHARED_MEMORY = Path("/dev/shm")
DESCRIPTION = """\
Look at the installation and the machine as a run would find them: what is
installed, what is missing and which extra brings it, cores and memory, shared
memory, kept machine code, a GPU, where runs are kept, what the run would
allocate, and the policies and attackers that it is given (an attacker of your
own is code, and run). The exit code is 1 if something of this is in the way of
that run, and each such line says what to do."""
EPILOG = """\
examples:
  python run.py doctor
  python run.py doctor --workers 100 --engine cyborg
"""


class Finding(NamedTuple):
    """Something that was looked at."""

    name: str
    text: str
    is_problem: bool = False
    """It is in the way of the run that was asked about."""


def set_up(parser: argparse.ArgumentParser) -> None:
    """Give the parser of `doctor` its options: those of a run."""
    parser.usage = "run.py doctor [OPTION ...]"
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_file_option(parser)
    add_options(parser, OPTIONS)


def run(options: argparse.Namespace) -> int:
    """Print it for the run that the options ask for.

    Returns:
        The exit code: 0, or 1 if there is a problem.

    Raises:
        UsageError: An option doesn't fit.
    """
    config = make_config(given_options(options), options.config)
    machine = describe_machine()
    parts = {
        "installed": list(_packages(machine)),
        "on request": list(_extras(config)),
        "machine": list(_machine(machine, config)),
        "the run": [*_run(config), *_brought(config)],
    }
    width = max(len(finding.name) for findings in parts.values() for finding in findings)
    for place, (title, findings) in enumerate(parts.items()):
        sys.stdout.write(f"{'' if place == 0 else chr(10)}{title}\n")
        for name, text, is_problem in findings:
            sys.stdout.write(f"{' !' if is_problem else '  '} {name:<{width}}  {text}".rstrip() + "\n")
    num_problems = sum(finding.is_problem for findings in parts.values() for finding in findings)
    what = f"{num_problems} problem{'' if num_problems == 1 else 's'}, marked with !" if num_problems else "all is well"
    sys.stdout.write(f"\n{what}\n")
    return FAILED if num_problems else OK


def _packages(machine: dict[str, Any]) -> Iterator[Finding]:
    """Look at what every installation has; what extras bring is told with them."""
    yield Finding("python", machine["python"])
    brought = {name.replace("_", "-") for name in EXTRAS} | {"uvloop"}
    for name, version in machine["packages"].items():
        if name not in brought:
            yield Finding(name, version or "not installed")


def _extras(config: Config) -> Iterator[Finding]:
    """Look at the extras: those that the run needs, or what brings those that nobody asked for."""
    needed = {"train"} | ({"ray"} if config.collector == "ray" else set())
    needed |= {name for name in ("wandb", "mlflow", "tensorboard") if getattr(config, name, False)}
    for extra in dict.fromkeys(EXTRAS.values()):
        packages = [package for package, brought_by in EXTRAS.items() if brought_by == extra]
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            advice = f"not installed: pip install 'cage2-pipeline[{extra}]'"
            yield Finding(extra, advice, is_problem=extra in needed)
        else:
            yield Finding(extra, ", ".join(f"{each} {_version(each)}".rstrip() for each in packages))
    if config.engine == "cyborg":
        from pipeline.cage2.cyborg.env import require_cyborg

        try:
            require_cyborg(config.cyborg)
        except SetupError as error:
            yield Finding("CybORG", str(error), is_problem=True)


def _version(package: str) -> str:
    distributions = {"PIL": "pillow", "mlflow": "mlflow-skinny"}
    return package_version(distributions.get(package, package.replace("_", "-"))) or ""


def _machine(machine: dict[str, Any], config: Config) -> Iterator[Finding]:
    yield Finding("platform", machine["platform"])
    yield Finding("processor", f"{machine['processor']}, {machine['num_cores']} cores{_quota(machine['cpu_quota'])}")
    yield Finding("memory", _memory(machine["memory_limit_bytes"]))
    yield _shared_memory(config)
    yield _kept_code()
    yield _gpu(config)
    yield _log_folder(config)


def _shared_memory(config: Config) -> Finding:
    is_used = config.collector == "synchronous" or (config.collector, config.transport) == ("executor", "shm")
    if not (SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK)):
        what = "not writable" if SHARED_MEMORY.is_dir() else "not there"
        on_linux = sys.platform == "linux"  # elsewhere shared memory lies in no folder
        advice = ": mount it, or use --transport pickle" if on_linux else ""
        return Finding("/dev/shm", what + advice, is_problem=is_used and on_linux)
    free, needed = shutil.disk_usage(SHARED_MEMORY).free, sum(_bytes_needed(config))
    if is_used and needed > free:
        advice = "give it more (docker run --shm-size=1g), or use fewer --slots, or --transport pickle"
        return Finding("/dev/shm", f"{_mib(free)} free, {_mib(needed)} needed: {advice}", is_problem=True)
    return Finding("/dev/shm", f"{_mib(free)} free")


def _kept_code() -> Finding:
    from pipeline.cage2.engine import game
    from pipeline.numerics.cache import folders, why_not_kept
    from pipeline.numerics.compiled import must_be_compiled

    if reason := why_not_kept():
        return Finding("machine code", reason)
    place = next((folder for folder in folders(game.__file__) if os.access(folder, os.W_OK)), None)
    what = "yet to be made, once, in some 10 s" if must_be_compiled(game.step_games) else "there"
    return Finding("machine code", what if place is None else f"{what}, kept in {place}")


def _gpu(config: Config) -> Finding:
    if find_spec("torch") is None:
        return Finding("GPU", "not looked for: torch is not installed")
    try:
        torch = importlib.import_module("torch")
    except Exception as error:  # noqa: BLE001  # a library that it needs isn't there, say
        text = f"torch is installed, but can't be imported: {printable(str(error))}. Install it anew"
        return Finding("GPU", text, is_problem=True)
    if torch.cuda.is_available():
        return Finding("GPU", f"{torch.cuda.get_device_name(0)}, used with --device cuda")
    if config.device == "cuda":
        return Finding("GPU", "none that torch can use: leave --device out", is_problem=True)
    return Finding("GPU", "none that torch can use; none is needed, for updates are compiled for the processor")


def _log_folder(config: Config) -> Finding:
    folder = config.log_dir.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if there.is_dir() and os.access(there, os.W_OK):
        return Finding("runs", f"{printable(str(folder))}, {_mib(shutil.disk_usage(there).free)} free")
    text = f"{printable(str(folder))} can't be written: give another --log-dir"
    return Finding("runs", text, is_problem=True)


def _run(config: Config) -> Iterator[Finding]:
    from pipeline.collect.methods import game_spec
    from pipeline.play.record import HEADER

    game = game_spec(config)
    ring_bytes, board_bytes = _bytes_needed(config)
    yield Finding(
        "an episode", f"{game.record.size_bytes} bytes, its header {HEADER.size_bytes} ({game.num_steps} steps)"
    )
    yield Finding("weights", f"{game.shape.actor.num_values * 4} bytes a version")
    yield Finding("collector", f"{config.collector}, {_transport(config)}")
    yield Finding("workers", f"{config.num_players}, {config.task_size} episodes a task")
    yield Finding("episode ring", f"{config.num_slots} slots, {_mib(ring_bytes)}")
    yield Finding("weight board", f"{config.num_slabs} versions, {_mib(board_bytes)}")
    yield Finding("shared memory", f"{_mib(ring_bytes + board_bytes)} in all")


def _brought(config: Config) -> Iterator[Finding]:
    """Look at what the run is given of others: policies to start from, attackers of one's own, whose code is run."""
    if config.init_from is not None and find_spec("torch") is not None:  # what is missing has been told
        from pipeline.collect.methods import game_spec
        from pipeline.persist.initial import policies_of

        try:
            num = len(policies_of(config.init_from, config, game_spec(config).shape).policies)
            text = f"{printable(str(config.init_from))}: {num} trained polic{'y' if num == 1 else 'ies'}"
            yield Finding("starts from", text)
        except (PipelineError, OSError) as error:
            yield Finding("starts from", _first_line(error), is_problem=True)
    if own := [name for name in red_agents_of(config.red_agent) if is_reference(name)]:
        from pipeline.run.attackers import with_attackers

        try:
            with printing_to_stderr():
                with_attackers(config)
            yield Finding("attacker", f"{printable(', '.join(own))}: there, and can be loaded")
        except PipelineError as error:
            yield Finding("attacker", _first_line(error), is_problem=True)


def _first_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0])


def _bytes_needed(config: Config) -> tuple[int, int]:
    """Return what a run's ring of episodes takes of shared memory, and its board of weights."""
    # what a mistaken option, or the help, need not wait for
    from native_buffers.ring import EpisodeRing
    from native_buffers.weights import WeightBoard
    from pipeline.collect.methods import game_spec
    from pipeline.play.record import HEADER

    game = game_spec(config)
    return (
        EpisodeRing.size_needed(HEADER, game.record, config.num_slots),
        WeightBoard.size_needed(game.shape.actor.num_values, config.num_slabs),
    )


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
