from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import pytest

from pipeline.workers import death
from pipeline.workers.death import Handle, WorkersDiedError, dump_and_kill, see_off


def test_a_death_names_who_died() -> None:
    assert "[7, 12]" in str(WorkersDiedError(0, frozenset({12, 7})))
    assert "unknown" in str(WorkersDiedError(0, frozenset()))


def test_who_is_gone_is_told_without_waiting_for_it() -> None:
    child = subprocess.Popen(["sleep", "60"])  # noqa: S607  # wherever it is
    handle = Handle(child.pid)
    assert not handle.is_gone()
    handle.send(signal.SIGKILL)
    see_off([handle])
    assert handle.is_gone()  # a zombie, until it is waited for
    assert child.wait() == -signal.SIGKILL
    assert handle.is_gone()
    handle.send(signal.SIGKILL)
    assert Handle(child.pid).is_gone()


def test_one_that_does_not_answer_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(death, "DUMPS_S", 0.2)
    deaf = subprocess.Popen(["sh", "-c", "trap '' USR1; echo deaf; exec sleep 60"], stdout=subprocess.PIPE)  # noqa: S607
    hears = subprocess.Popen(["sleep", "60"])  # noqa: S607  # wherever it is
    with deaf, hears:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"
        asyncio.run(dump_and_kill([Handle(deaf.pid), Handle(hears.pid)]))
        assert (deaf.wait(), hears.wait()) == (-signal.SIGKILL, -signal.SIGUSR1)


LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


@pytest.mark.skipif(not os.access(LAST_PID, os.W_OK), reason="who may not choose process ids can't have one again")
def test_one_that_has_the_id_of_a_worker_that_is_gone_is_left_alone() -> None:
    worker = subprocess.Popen(["sleep", "60"])  # noqa: S607  # wherever it is
    handle = Handle(worker.pid)
    worker.kill()
    worker.wait()
    stranger = reborn(worker.pid)
    with stranger:
        asyncio.run(dump_and_kill([handle]))
        assert stranger.poll() is None
        stranger.terminate()
        assert stranger.wait() == -signal.SIGTERM


def reborn(pid: int) -> subprocess.Popen[bytes]:
    """Start a process that has an id; others start some meanwhile, which may take it first."""
    for _ in range(1000):
        LAST_PID.write_text(str(pid - 1))
        stranger = subprocess.Popen(["sleep", "60"])  # noqa: S607  # wherever it is
        if stranger.pid == pid:
            return stranger
        stranger.kill()
        stranger.wait()
    pytest.skip("the id is in use")
