from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from multiprocessing import forkserver
from typing import TYPE_CHECKING

import pytest

from pipeline.workers.birth import PRELOAD, block_ctrl_c, see_off_forkserver, worker_context

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
