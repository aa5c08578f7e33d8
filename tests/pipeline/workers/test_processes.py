from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing import forkserver
from typing import TYPE_CHECKING

import pytest

from pipeline.workers import processes
from pipeline.workers.processes import (
    OPEN_FILES_BESIDE,
    OPEN_FILES_PER_WORKER,
    PRELOAD,
    TooFewOpenFilesError,
    WorkersDiedError,
    block_ctrl_c,
    dump_and_kill,
    exists,
    is_running,
    require_open_files,
    see_off,
    see_off_forkserver,
    worker_context,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no forkserver to speak of")
def test_workers_come_from_a_forkserver_that_has_all_they_need() -> None:
    context = worker_context()
    assert context.get_start_method() == "forkserver"
    importlib.import_module(PRELOAD)


def test_ctrl_c_is_blocked_in_one_thread_alone() -> None:
    masks: list[set[signal.Signals]] = []

    def note() -> None:
        block_ctrl_c()
        masks.append({signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())})

    thread = threading.Thread(target=note)
    thread.start()
    thread.join()
    assert signal.SIGINT in masks[0]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_death_names_who_died() -> None:
    assert "[7, 12]" in str(WorkersDiedError(0, frozenset({12, 7})))
    assert "unknown" in str(WorkersDiedError(0, frozenset()))


def test_few_open_files_are_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
        require_open_files(10)
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        assert raised == OPEN_FILES_PER_WORKER * 10 + OPEN_FILES_BESIDE
        require_open_files(2)  # never lowered
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 128))
    with pytest.raises(TooFewOpenFilesError, match=r"10 workers need 296 open files, and the limit is 128: `ulimit -n"):
        require_open_files(10)


def test_who_runs_is_told_without_asking_for_the_exit_code() -> None:
    child = subprocess.Popen(["sleep", "60"])  # noqa: S607  # wherever it is
    assert (is_running(child.pid), exists(child.pid)) == (True, True)
    child.kill()
    see_off([child.pid])
    assert (is_running(child.pid), exists(child.pid)) == (False, True)  # a zombie, until it is waited for
    assert child.wait() == -signal.SIGKILL
    assert (is_running(child.pid), exists(child.pid)) == (False, False)


def test_one_that_does_not_answer_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "DUMPS_S", 0.2)
    deaf = subprocess.Popen(["sh", "-c", "trap '' USR1; echo deaf; exec sleep 60"], stdout=subprocess.PIPE)  # noqa: S607
    hears = subprocess.Popen(["sleep", "60"])  # noqa: S607  # wherever it is
    with deaf, hears:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"
        asyncio.run(dump_and_kill([deaf.pid, hears.pid]))
        assert (deaf.wait(), hears.wait()) == (-signal.SIGKILL, -signal.SIGUSR1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no forkserver to speak of")
def test_a_forkserver_that_is_dying_is_waited_for_until_another_one_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = multiprocessing.get_context("forkserver")
    monkeypatch.setattr(forkserver, "_forkserver", server := forkserver.ForkServer())
    for name in ("connect_to_new_process", "ensure_running"):
        monkeypatch.setattr(forkserver, name, getattr(server, name))
    server.ensure_running()
    dying = server._forkserver_pid
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(tmp_path / "socket"))
        server._forkserver_address = str(tmp_path / "socket")  # nobody listens there, as when it is dying
        with pytest.raises(ConnectionRefusedError):
            context.Process(target=os.getpid).start()
        with pytest.raises(ConnectionRefusedError):
            context.Process(target=os.getpid).start()
        timer = threading.Timer(0.2, os.kill, (dying, signal.SIGKILL))
        timer.start()
        see_off_forkserver()
        timer.join()
    process = context.Process(target=os.getpid)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert server._forkserver_pid != dying
    os.kill(server._forkserver_pid, signal.SIGKILL)
    see_off_forkserver()
    os.waitpid(server._forkserver_pid, 0)
    os.close(server._forkserver_alive_fd)
