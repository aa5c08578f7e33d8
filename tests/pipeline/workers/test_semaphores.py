from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from native_buffers.segment import sweep_stale
from pipeline.workers.forkserver import WorkerContext

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere semaphores can't be listed")

ROOT = Path(__file__).parents[3]
SHM = Path("/dev/shm")  # noqa: S108  # where Linux keeps semaphores
SCRIPT = """
import asyncio
from pipeline.workers.birth import become_worker
from pipeline.workers.pool import Pool

async def wait():
    pool = Pool(2, become_worker)
    await pool.start()
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(wait())
"""


def semaphores(pid: int) -> list[Path]:
    return list(SHM.glob(f"sem.c2p-{pid}-*"))


def named_by_multiprocessing(process: psutil.Process) -> list[str]:
    """Those that a process has mapped."""
    return re.findall(r"/sem\.mp-\S+", Path(f"/proc/{process.pid}/maps").read_text())


def test_what_is_left_of_a_pool_whose_processes_were_all_killed_is_swept() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True, cwd=ROOT) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "started\n"
        family = [psutil.Process(program.pid), *psutil.Process(program.pid).children(recursive=True)]
        assert semaphores(program.pid)
        assert not any(named_by_multiprocessing(each) for each in family)
        sweep_stale()
        left = semaphores(program.pid)  # a living one's are left alone
        assert left
        for each in family:  # the resource tracker, too, which would remove them
            with contextlib.suppress(psutil.NoSuchProcess):  # workers end with their parent
                each.kill()
        psutil.wait_procs(family)
    assert semaphores(program.pid) == left
    assert {path.name for path in left} <= set(sweep_stale())
    assert not semaphores(program.pid)


def test_one_goes_with_the_last_that_uses_it() -> None:
    lock, semaphore = WorkerContext().Lock(), WorkerContext().BoundedSemaphore(2)
    paths = [SHM / f"sem.{each._semlock.name.removeprefix('/')}" for each in (lock, semaphore)]
    assert all(path.exists() for path in paths)
    assert lock.acquire(timeout=1)
    assert not lock.acquire(block=False)
    assert [semaphore.acquire(block=False) for _ in range(3)] == [True, True, False]
    del lock, semaphore
    assert not any(path.exists() for path in paths)
