from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline import machine
from pipeline.config import Config
from pipeline.machine import PACKAGES, cpu_quota, describe_machine, memory_limit_bytes, num_cores, package_version

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path("/sys/fs/cgroup")
NO_LIMIT = str((1 << 63) - 4096)
"""What version 1 says where memory has no limit, with pages of 4 kB."""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def version_1(root: Path, group: str, limits: dict[str, tuple[str, str]], controllers: str = "cpu,cpuacct") -> Path:
    """Lay out a tree for each controller, with `(quota in microseconds, bytes)` for groups by their path."""
    files = {"proc/self/cgroup": f"5:pids:{group}\n4:memory:{group}\n3:{controllers}:{group}\n1:name=systemd:{group}"}
    for path, (quota_us, num_bytes) in limits.items():
        files |= {
            f"sys/fs/cgroup/cpu/{path}/cpu.cfs_quota_us": quota_us,
            f"sys/fs/cgroup/cpu/{path}/cpu.cfs_period_us": "100000",
            f"sys/fs/cgroup/memory/{path}/memory.limit_in_bytes": num_bytes,
        }
    return write(root, files)


def version_2(root: Path, group: str, limits: dict[str, tuple[str, str]], tree: str = "") -> Path:
    """Lay out the one tree, with the contents of `cpu.max` and `memory.max` for groups by their path."""
    files = {"proc/self/cgroup": f"0::{group}"}
    for path, (cpu_max, memory_max) in limits.items():
        files |= {
            f"sys/fs/cgroup/{tree}/{path}/cpu.max": cpu_max,
            f"sys/fs/cgroup/{tree}/{path}/memory.max": memory_max,
        }
    return write(root, files)


def test_the_machine_is_told_with_the_versions_that_results_depend_on() -> None:
    told = describe_machine()
    assert set(told["packages"]) == set(PACKAGES)
    assert re.fullmatch(r"\d+\..+", told["packages"]["torch"])
    assert told["packages"]["numpy"] == __import__("numpy").__version__
    assert told["python"] == ".".join(map(str, sys.version_info[:3]))
    assert told["processor"]
    assert told["num_cores"] >= 1


def test_a_package_that_is_not_there_has_no_version() -> None:
    assert package_version("no-such-package") is None


def test_a_processor_without_a_name_is_told_by_its_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "ROOT", write(tmp_path, {"proc/cpuinfo": "processor\t: 0\nCPU part\t: 0xd40"}))
    assert machine.processor() == os.uname().machine
    write(tmp_path, {"proc/cpuinfo": "processor\t: 0\nmodel name\t: A CPU: of 1978\nmodel name\t: Another"})
    assert machine.processor() == "A CPU: of 1978"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system can't restrict a process to cores")
def test_only_cores_that_the_process_may_use_count(tmp_path: Path) -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert num_cores() == num_cores(tmp_path) == 1
        assert Config().workers == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert num_cores(tmp_path) == len(allowed)


@pytest.mark.parametrize(
    ("quota_us", "cores"), [(5_000, 1), (100_000, 1), (100_001, 2), (150_000, 2), (200_000, 2), (250_000, 3), (-1, 8)]
)
def test_a_quota_counts_as_the_cores_that_it_can_keep_busy(
    quota_us: int, cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    old = version_1(tmp_path / "1", "/", {"": (str(quota_us), NO_LIMIT)})
    new = version_2(tmp_path / "2", "/", {"": (f"{quota_us if quota_us > 0 else 'max'} 100000", "max")})
    assert num_cores(old) == num_cores(new) == cores
    assert cpu_quota(old) == cpu_quota(new) == (quota_us / 100_000 if quota_us > 0 else None)


def test_a_quota_of_more_than_there_is_grants_no_more(tmp_path: Path) -> None:
    cores = len(os.sched_getaffinity(0))
    assert num_cores(version_2(tmp_path, "/", {"": (f"{100_000 * (cores + 3)} 100000", "max")})) == cores


def test_the_smallest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    new = version_2(
        tmp_path / "2",
        "/a/b/c",
        {
            "a": ("150000 50000", "4000"),
            "a/b": ("max 100000", "9000"),
            "a/b/c": ("400000 100000", "max"),
            "a/b/c/below": ("1000 100000", "1"),
            "beside": ("1000 100000", "1"),
        },
    )
    assert (cpu_quota(new), memory_limit_bytes(new)) == (3.0, 4000)
    old = version_1(tmp_path / "1", "/a/b", {"a/b": ("400000", "9000"), "a": ("300000", "4000"), "": ("-1", NO_LIMIT)})
    assert (cpu_quota(old), memory_limit_bytes(old)) == (3.0, 4000)


def test_a_container_sees_its_own_group_as_the_top(tmp_path: Path) -> None:
    """Docker without a name space of groups: the path is the host's, what is mounted is the container's."""
    old = version_1(tmp_path / "1", "/docker/0123", {"": ("50000", "7000")})
    assert (cpu_quota(old), memory_limit_bytes(old)) == (0.5, 7000)
    new = version_2(tmp_path / "2", "/../../0123", {"": ("50000 100000", "7000")})
    assert (cpu_quota(new), memory_limit_bytes(new)) == (0.5, 7000)


def test_both_versions_at_once(tmp_path: Path) -> None:
    """As systemd's hybrid: version 2 has a tree beside those of version 1, and no controllers but what is left."""
    root = version_1(tmp_path, "/a", {"a": ("150000", "7000")}, controllers="cpuacct,cpu")
    assert (cpu_quota(root), memory_limit_bytes(root)) == (1.5, 7000)
    groups = (root / "proc/self/cgroup").read_text()
    version_2(root, "/b", {"b": ("120000 100000", "6000")}, tree="unified")
    write(root, {"proc/self/cgroup": f"{groups}0::/b"})
    assert (cpu_quota(root), memory_limit_bytes(root)) == (1.2, 6000)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/"},
        {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000", "sys/fs/cgroup/memory.max": "max"},
        {"proc/self/cgroup": "3:cpu:/\n2:memory:/", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"},
        {"proc/self/cgroup": "2:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes": NO_LIMIT},
    ],
    ids=["no groups", "no files", "version 2", "version 1", "version 1, memory"],
)
def test_without_a_limit_all_is_granted(files: dict[str, str], tmp_path: Path) -> None:
    root = write(tmp_path, files)
    assert (cpu_quota(root), memory_limit_bytes(root)) == (None, None)
    assert num_cores(root) == len(os.sched_getaffinity(0))


@contextlib.contextmanager
def group_of_one_core() -> Iterator[Path]:
    """Make a control group below the top, in whichever version the system has."""
    is_old = (TOP / "cpu/cpu.cfs_quota_us").exists()
    group = TOP / ("cpu" if is_old else "") / f"cage2-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"can't make a control group: {error.strerror}")
    try:
        try:
            if is_old:
                (group / "cpu.cfs_quota_us").write_text("100000")
            else:
                (group / "cpu.max").write_text("100000 100000")
        except OSError as error:
            pytest.skip(f"can't set a quota in a control group of its own: {error.strerror}")
        yield group
    finally:
        group.rmdir()


def test_a_real_group_with_a_quota_of_one_core_has_one_worker() -> None:
    code = "import os, sys; open(sys.argv[1], 'w').write(str(os.getpid())); from pipeline import Config; "
    code += "from pipeline.machine import cpu_quota; print(Config().workers, cpu_quota())"
    with group_of_one_core() as group:
        command = [sys.executable, "-c", code, str(group / "cgroup.procs")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1.0"]
