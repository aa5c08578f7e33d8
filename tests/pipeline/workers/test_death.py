from __future__ import annotations

import asyncio
import signal
import subprocess
from typing import TYPE_CHECKING

from pipeline.workers import death
from pipeline.workers.death import WorkersDiedError, dump_and_kill, exists, is_running, see_off

if TYPE_CHECKING:
    import pytest


def test_a_death_names_who_died() -> None:
    assert "[7, 12]" in str(WorkersDiedError(0, frozenset({12, 7})))
    assert "unknown" in str(WorkersDiedError(0, frozenset()))


def test_who_runs_is_told_without_asking_for_the_exit_code() -> None:
    child = subprocess.Popen(["sleep", "60"])  # noqa: S607  # wherever it is
    assert (is_running(child.pid), exists(child.pid)) == (True, True)
    child.kill()
    see_off([child.pid])
    assert (is_running(child.pid), exists(child.pid)) == (False, True)  # a zombie, until it is waited for
    assert child.wait() == -signal.SIGKILL
    assert (is_running(child.pid), exists(child.pid)) == (False, False)


def test_one_that_does_not_answer_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(death, "DUMPS_S", 0.2)
    deaf = subprocess.Popen(["sh", "-c", "trap '' USR1; echo deaf; exec sleep 60"], stdout=subprocess.PIPE)  # noqa: S607
    hears = subprocess.Popen(["sleep", "60"])  # noqa: S607  # wherever it is
    with deaf, hears:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"
        asyncio.run(dump_and_kill([deaf.pid, hears.pid]))
        assert (deaf.wait(), hears.wait()) == (-signal.SIGKILL, -signal.SIGUSR1)
