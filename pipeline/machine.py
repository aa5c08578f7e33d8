"""The machine that this process runs on: versions, processor, and what a container grants of cores and memory.

What a container grants is in its control groups: `/proc/self/cgroup` says which ones a process is in, `/sys/fs/cgroup`
holds them. Version 1 has a tree for each controller, version 2 one for all. A limit holds for all groups below, so the
smallest one on the way up counts. From inside a container the groups above its own can't be seen, nor need they be.
"""

from __future__ import annotations

import math
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

EPISODE_PACKAGES = ("numpy", "numba", "llvmlite", "csle-cyborg")
"""What an episode's bits come from, beside the project's own sources."""
PACKAGES = ("cage2-pipeline", *EPISODE_PACKAGES, "torch", "gpytorch", "uvloop", "pydantic", "safetensors")
"""What a run's results or files may depend on."""

ROOT = Path("/")
"""Where `proc` and `sys` are."""
_NO_LIMIT = 1 << 62
"""Bytes from which on version 1's limit of memory is none: the largest number of whole pages."""


def describe_machine() -> dict[str, Any]:
    """Return versions and machine as JSON can hold them: what `doctor` prints and each run records."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "num_cores": num_cores(),
        "cpu_quota": cpu_quota(),
        "memory_limit_bytes": memory_limit_bytes(),
        "packages": {name: package_version(name) for name in PACKAGES},
    }


def package_version(name: str) -> str | None:
    """Return the version of an installed package, None if it isn't installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def processor() -> str:
    """Return the processor's name, or its architecture where it has none."""
    lines = _read(ROOT / "proc/cpuinfo").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def num_cores(root: Path = ROOT) -> int:
    """Return the number of cores that this process may use, at least 1: by its affinity, and by its container's quota.

    What a quota has beyond whole cores counts as one more: a worker that has to wait for its share costs less than a
    share that nobody uses.

    Args:
        root: See `ROOT`.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(root)
    return cores if quota is None else min(cores, max(1, math.ceil(quota)))


def cpu_quota(root: Path = ROOT) -> float | None:
    """Return the processor seconds that the container grants per second, None if it sets no limit.

    Args:
        root: See `ROOT`.
    """
    quotas = []
    for group in _groups("cpu", root):
        limit = _read(group / "cpu.max") or f"{_read(group / 'cpu.cfs_quota_us')} {_read(group / 'cpu.cfs_period_us')}"
        match limit.split():
            case [granted, period] if granted.isdecimal() and period.isdecimal():  # neither `max` nor -1
                quotas.append(int(granted) / int(period))
    return min(quotas, default=None)


def memory_limit_bytes(root: Path = ROOT) -> int | None:
    """Return the memory that the container grants, None if it sets no limit.

    Args:
        root: See `ROOT`.
    """
    groups = _groups("memory", root)
    limits = (_read(group / "memory.max") or _read(group / "memory.limit_in_bytes") for group in groups)
    return min((int(limit) for limit in limits if limit.isdecimal() and int(limit) < _NO_LIMIT), default=None)


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of the groups that limit this process, its own first; not all of them need be there."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2, alone or beside version 1
            trees = ["", "unified"]
        elif controller in controllers.split(","):
            trees = [controller, controllers]  # named after one that it holds, or all
        else:
            continue
        for tree in trees:
            top = root / "sys/fs/cgroup" / tree
            group = top / path.lstrip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(top))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
