from __future__ import annotations

import asyncio
import contextlib
import importlib
import operator
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pipeline.workers import forkserver, roll
from pipeline.workers import pool as pool_module
from pipeline.workers.birth import WorkersDidNotStartError, become_worker
from pipeline.workers.death import WorkersDiedError
from pipeline.workers.forkserver import Forkserver
from pipeline.workers.pool import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 30
ENDLESS_S = 3600


@contextlib.asynccontextmanager
async def working(num_workers: int, faults_path: str | None = None) -> AsyncIterator[Pool]:
    """A started pool, closed and then looked for survivors."""
    pool = Pool(num_workers, become_worker, faults_path)
    try:
        await soon(pool.start())
        yield pool
    finally:
        pids = worker_pids(pool)
        await soon(pool.close())
        assert not alive(pids)
        assert pool.num_alive == 0


async def soon(what: Any) -> Any:
    return await asyncio.wait_for(what, TIMEOUT_S)


def worker_pids(pool: Pool) -> set[int]:
    return {process.pid for process in pool._processes if process.pid is not None}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110  # what is awaited happens in other processes
            await asyncio.sleep(0.001)


async def deaths(*calls: asyncio.Task[Any]) -> list[WorkersDiedError]:
    """Wait for calls that are all lost; return what each was told."""
    errors = await soon(asyncio.gather(*calls, return_exceptions=True))
    for error in errors:
        assert isinstance(error, WorkersDiedError), error
    return errors


def call(pool: Pool, function: Callable[..., Any], *arguments: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(pool.call(function, *arguments))


async def all_submitted() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_answers_from_its_workers() -> None:
    async with working(2) as pool:
        assert (pool.max_tasks, pool.num_alive, pool.num_rebuilds) == (4, 2, 0)
        assert await soon(pool.call(operator.add, 2, 3)) == 5
        assert await soon(pool.call(os.getpid)) in worker_pids(pool)
        with pytest.raises(ZeroDivisionError):
            await soon(pool.call(operator.truediv, 1, 0))
        assert (pool.num_alive, pool.num_rebuilds) == (2, 0)


async def test_a_killed_worker_costs_one_set_of_workers() -> None:
    async with working(2) as pool:
        calls = [call(pool, time.sleep, ENDLESS_S) for _ in range(8)]
        await all_submitted()
        first = worker_pids(pool)
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        errors = await deaths(*calls)
        assert not alive(first)  # nobody is left to write to what is handed out again
        assert {(error.generation, error.casualties) for error in errors} == {(0, frozenset({killed}))}
        assert (pool.num_rebuilds, pool.num_alive) == (1, 2)
        assert not worker_pids(pool) & first
        assert await soon(pool.call(operator.add, 2, 3)) == 5


async def test_each_death_is_told_apart() -> None:
    async with working(1) as pool:
        for generation in range(2):
            (idle,) = worker_pids(pool)
            os.kill(idle, signal.SIGKILL)
            (error,) = await deaths(call(pool, time.sleep, ENDLESS_S))
            assert (error.generation, error.casualties) == (generation, {idle})
            assert await soon(pool.call(os.getpid)) in worker_pids(pool) - {idle}
        assert pool.num_rebuilds == 2


async def test_workers_end_with_their_forkserver_and_a_new_one_is_started() -> None:
    async with working(2) as pool:
        calls = [call(pool, time.sleep, ENDLESS_S) for _ in range(2)]
        await all_submitted()
        first = worker_pids(pool)
        os.kill(psutil.Process(min(first)).ppid(), signal.SIGKILL)
        await deaths(*calls)
        assert not alive(first)
        assert await soon(pool.call(operator.add, 2, 3)) == 5


async def test_one_that_hangs_is_killed_and_alone_a_casualty() -> None:
    async with working(2) as pool:
        calls = [call(pool, time.sleep, ENDLESS_S) for _ in range(2)]
        killed = max(worker_pids(pool))
        assert await pool.kill(killed)
        assert {error.casualties for error in await deaths(*calls)} == {frozenset({killed})}
        assert not await pool.kill(killed)  # it is gone
        calls = [call(pool, time.sleep, ENDLESS_S) for _ in range(2)]
        everybody = worker_pids(pool)
        assert await pool.kill(None)
        assert {error.casualties for error in await deaths(*calls)} == {frozenset(everybody)}


HANGS_ONCE = """
import os, time
from pipeline.workers.birth import become_worker

def initialize(folder, faults_path):
    become_worker(faults_path)
    try:
        os.mkdir(folder)
    except FileExistsError:
        return
    time.sleep(3600)
"""


async def test_one_that_hangs_while_it_starts_beside_others_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs_once.py").write_text(HANGS_ONCE)
    monkeypatch.syspath_prepend(tmp_path)  # workers are told of it, too
    faults = tmp_path / "faults"
    pool = Pool(2, importlib.import_module("hangs_once").initialize, str(tmp_path / "hung"), str(faults))
    try:
        await soon(pool.start())
        first = worker_pids(pool)
        up = await soon(pool.call(os.getpid))  # time is left to the other one
        assert pool.num_rebuilds == 0
        with monkeypatch.context() as later:
            later.setattr(roll, "START_TIMEOUT_S", 0.0)
            (error,) = await deaths(call(pool, time.sleep, ENDLESS_S))
        assert error.casualties == first - {up}
        assert "in initialize" in faults.read_text()
        assert await soon(pool.call(operator.add, 2, 3)) == 5
        assert (pool.num_rebuilds, pool.num_alive) == (1, 2)
    finally:
        await soon(pool.close())


WAITS = """
import os, time
from pipeline.workers.birth import become_worker

def initialize(gate):
    become_worker()
    while not os.path.exists(gate):
        time.sleep(0.001)
"""


@contextlib.asynccontextmanager
async def being_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Pool, Path]]:
    """A pool whose worker has died, and the file without which the next one doesn't come up."""
    gate = tmp_path / "gate"
    gate.touch()
    (tmp_path / "waits.py").write_text(WAITS)
    monkeypatch.syspath_prepend(tmp_path)
    pool = Pool(1, importlib.import_module("waits").initialize, str(gate))
    try:
        await soon(pool.start())
        gate.unlink()
        os.kill(*worker_pids(pool), signal.SIGKILL)
        yield pool, gate
    finally:
        await soon(pool.close())


async def test_workers_that_are_being_started_do_not_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that waits for them may well be overdue: a machine that is busy takes long to start them."""
    async with being_replaced(tmp_path, monkeypatch) as (pool, gate):
        lost = call(pool, time.sleep, ENDLESS_S)
        await until(lambda: pool.num_rebuilds and pool.num_alive)
        assert not await pool.kill(None)
        gate.touch()
        await deaths(lost)
        assert await soon(pool.call(operator.add, 2, 3)) == 5
        assert pool.num_rebuilds == 1


async def test_workers_that_never_come_up_again_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with being_replaced(tmp_path, monkeypatch) as (pool, _):
        monkeypatch.setattr(pool_module, "START_TIMEOUT_S", 0.1)
        with pytest.raises(WorkersDidNotStartError):
            await soon(pool.call(time.sleep, ENDLESS_S))


async def test_a_call_waits_for_workers_that_are_being_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async with working(1) as pool:
        gate, start_workers = asyncio.Event(), pool._start_workers

        async def start_later() -> None:
            await gate.wait()
            await start_workers()

        monkeypatch.setattr(pool, "_start_workers", start_later)
        os.kill(*worker_pids(pool), signal.SIGKILL)
        lost = call(pool, time.sleep, ENDLESS_S)
        await until(lambda: pool.num_rebuilds)
        waiting = call(pool, operator.add, 2, 3)
        await all_submitted()
        assert pool._processes == []  # it is not given to an executor without workers, which would start them at once
        gate.set()
        await deaths(lost)
        assert await soon(waiting) == 5


async def test_one_that_is_killed_while_it_starts_is_replaced() -> None:
    pool = Pool(1, become_worker)
    try:
        starting = asyncio.create_task(pool.start())
        await until(lambda: worker_pids(pool))
        (pid,) = worker_pids(pool)
        os.kill(pid, signal.SIGKILL)
        await soon(starting)
        (error,) = await deaths(call(pool, time.sleep, ENDLESS_S))
        assert error.casualties == {pid}
        assert await soon(pool.call(operator.add, 2, 3)) == 5
    finally:
        await pool.close()


async def test_a_stopped_survivor_does_not_hold_up_the_next_workers() -> None:
    async with working(2) as pool:
        calls = [call(pool, time.sleep, ENDLESS_S) for _ in range(2)]
        await all_submitted()
        stopped, killed = worker_pids(pool)
        os.kill(stopped, signal.SIGSTOP)
        os.kill(killed, signal.SIGKILL)
        await deaths(*calls)


async def test_ctrl_c_is_not_heard_from_birth_on() -> None:
    """It reaches every process of a terminal, and would end a worker with a traceback there."""
    pool = Pool(1, time.sleep, 0)  # which is all that it does first
    try:
        await soon(pool.start())
        assert await soon(pool.call(signal.getsignal, signal.SIGINT)) == signal.SIG_IGN
        assert await soon(pool.call(signal.pthread_sigmask, signal.SIG_BLOCK, ())) == set()
    finally:
        await soon(pool.close())


async def test_close_ends_what_is_being_called() -> None:
    async with working(2) as pool:
        calls = [call(pool, time.sleep, ENDLESS_S) for _ in range(4)]
        await all_submitted()
        for each in calls:
            each.cancel()
        await asyncio.wait(calls)
        assert all(each.cancelled() for each in calls)
        assert pool.num_alive == 2


async def test_close_before_and_during_the_start() -> None:
    unused = Pool(3, become_worker)
    assert (unused.max_tasks, unused.num_alive, unused.num_rebuilds) == (6, 0, 0)
    await soon(unused.close())
    await soon(unused.close())

    pool = Pool(1, become_worker)
    starting = asyncio.create_task(pool.start())
    await asyncio.sleep(0)
    starting.cancel()
    await soon(pool.close())
    assert starting.cancelled()
    assert not alive(worker_pids(pool))


async def test_close_does_not_wait_for_a_forkserver_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless.py").write_text("import time; time.sleep(3600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = Forkserver()
    server.set_forkserver_preload(["endless"])
    for module in (forkserver, pool_module):
        monkeypatch.setattr(module, "FORKSERVER", server)
    pool = Pool(1, become_worker)
    starting = asyncio.create_task(pool.start())
    await until(lambda: server.pid)
    starting.cancel()
    await soon(pool.close())
    assert server.pid is not None
    await asyncio.to_thread(os.waitpid, server.pid, 0)
    os.close(server._forkserver_alive_fd)
