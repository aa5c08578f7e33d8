from __future__ import annotations

import subprocess
import sys

import pytest
import uvloop

from pipeline.command.process import let_the_loop_in, loop_factory

HEAPS = """
import ctypes, sys, threading
from pipeline.command.process import share_one_heap
if sys.argv[1] == "shared":
    share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.fdopen.restype = ctypes.c_void_p, ctypes.c_void_p
together = threading.Barrier(4)
def allocate():
    libc.malloc(5000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
stdout = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stdout)
libc.fflush(stdout)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heaps")
@pytest.mark.parametrize(("how", "is_one"), [("shared", True), ("as it is", False)])
def test_threads_share_one_heap(how: str, is_one: bool) -> None:
    run = subprocess.run([sys.executable, "-c", HEAPS, how], capture_output=True, text=True, check=True, timeout=60)
    assert (run.stdout.count("<heap nr=") == 1) == is_one


def test_the_loop_is_uvloops() -> None:
    assert loop_factory() is uvloop.new_event_loop


def test_threads_hand_over_sooner() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)  # Python's own
        let_the_loop_in()
        assert sys.getswitchinterval() < 0.005
    finally:
        sys.setswitchinterval(before)
