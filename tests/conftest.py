"""What holds for every test: none leaves anything in shared memory."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import settings

from native_buffers.segment import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

gc.disable()  # until all is collected: hundreds of thousands of objects that stay, to be gone through again and again

torch.set_num_threads(1)  # more wait for each other most of the time while other processes run tests beside this one
os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's actors step back by 15 else, for all other tests' processes

settings.register_profile("pipeline", deadline=None)  # a busy machine is no failure
settings.load_profile("pipeline")


SHM = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory


def own_segments() -> set[Path]:
    """Those of this process alone: other runs of the tests may go on beside it."""
    return set(SHM.glob(f"{PREFIX}-{os.getpid()}-*"))


LONGEST = (
    "determinism/test_digest.py",
    "pipeline/collect/ray/test_collector.py",
    "determinism/test_processors.py",
    "pipeline/collect/ray/test_cluster.py",
    "faults/test_ray_nodes.py",
    "bench/test_compare.py",
    "bench/test_throughput.py",
    "faults/test_moments.py",
    "embedding/test_clients.py",
    "bench/test_chaos.py",
    "faults/test_killed.py",
    "pipeline/experiment/test_runner.py",
    "faults/test_shared_memory.py",
    "browser/test_watch.py",
    "faults/test_cancelled.py",
    "fidelity/test_tiny_ranges.py",
)
"""Files that begin first, for a file's tests stay in one process, and none is to begin when the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(tryfirst=True)  # xdist's own loops end the calls, in the process that collects nothing, too
def pytest_runtestloop() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _session_leaves_no_segments() -> Iterator[None]:
    yield
    assert not own_segments(), "the session left segments in /dev/shm"


@pytest.fixture(autouse=True)
def _test_leaves_no_segments() -> Iterator[None]:
    before = own_segments()
    yield
    left = own_segments() - before
    for path in left:  # so that no other test is blamed
        path.unlink()
    assert not left, "the test left segments in /dev/shm"
