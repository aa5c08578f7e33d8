from __future__ import annotations

import importlib
import signal
import sys
import threading

import pytest

from pipeline.collect.processes import PRELOAD, WorkersDiedError, block_ctrl_c, worker_context


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
