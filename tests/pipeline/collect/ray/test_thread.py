from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from pipeline.collect.ray.thread import RayThread

PROGRAM = """
import time
from pipeline.collect.ray import thread
own = thread.RayThread()
own.submit(lambda: print("called"))
own.submit(lambda: time.sleep({seconds}))
own.submit(lambda: print("called as well"))
thread.EXIT_TIMEOUT_S = {timeout}
"""


def printed(seconds: float, timeout: float) -> str:
    program = PROGRAM.format(seconds=seconds, timeout=timeout)
    return subprocess.check_output([sys.executable, "-W", "error", "-c", program], text=True, timeout=100)


def test_calls_are_made_one_after_the_other_on_one_thread() -> None:
    thread = RayThread()
    gate = threading.Event()
    first, second = thread.submit(lambda: gate.wait(60) and threading.get_ident()), thread.submit(threading.get_ident)
    assert not second.done()
    gate.set()
    assert first.result(60) == second.result(60) != threading.get_ident()


def test_who_waits_is_told_what_went_wrong() -> None:
    def fail() -> None:
        raise SystemExit("no")

    thread = RayThread()
    with pytest.raises(SystemExit):
        thread.submit(fail).result(60)
    assert thread.submit(lambda: 3).result(60) == 3


def test_a_call_that_is_cancelled_in_time_is_not_made() -> None:
    thread = RayThread()
    gate = threading.Event()
    thread.submit(lambda: gate.wait(60))
    called: list[int] = []
    assert thread.submit(lambda: called.append(1)).cancel()
    gate.set()
    thread.submit(lambda: None).result(60)
    assert called == []


def test_a_process_that_ends_has_its_calls_made() -> None:
    assert printed(seconds=0.1, timeout=60) == "called\ncalled as well\n"


def test_a_process_ends_even_if_ray_hangs() -> None:
    assert printed(seconds=1000, timeout=0.2) == "called\n"
