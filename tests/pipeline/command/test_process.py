from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from pipeline.command.process import handle_signals, imports_for_good, let_the_loop_in, loop_factory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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


def test_the_garbage_collector_leaves_alone_what_is_imported_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_for_good.py").write_text("values = [[] for _ in range(1000)]")
    monkeypatch.syspath_prepend(tmp_path)
    num_frozen = [gc.get_freeze_count()]
    try:
        for _ in range(2):
            with imports_for_good():
                assert not gc.isenabled()
                importlib.import_module("imported_for_good")
            assert gc.isenabled()
            num_frozen.append(gc.get_freeze_count())
    finally:
        gc.unfreeze()
        del sys.modules["imported_for_good"]
    assert num_frozen[1] >= num_frozen[0] + 1000
    assert num_frozen[2] == num_frozen[1]


def test_threads_hand_over_sooner() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)  # Python's own
        let_the_loop_in()
        assert sys.getswitchinterval() < 0.005
    finally:
        sys.setswitchinterval(before)


@pytest.fixture
async def signals() -> AsyncIterator[SimpleNamespace]:
    """A run that is told of signals, and what it and the user heard; SIGHUP is ignored, as `nohup` has it."""
    heard = SimpleNamespace(stops=[], told=[], woken=asyncio.Event())

    def stop(*, now: bool) -> None:
        heard.stops.append(now)
        heard.woken.set()

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run: Any = SimpleNamespace(stop=stop)
    handle_signals(run, heard.told.append)
    yield heard
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().remove_signal_handler(number)
    signal.signal(signal.SIGHUP, before)


async def test_the_first_signal_stops_in_time_and_further_ones_at_once(signals: SimpleNamespace) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        assert signal.getsignal(number) not in {signal.SIG_DFL, signal.default_int_handler}
        signals.woken.clear()
        os.kill(os.getpid(), number)
        await asyncio.wait_for(signals.woken.wait(), 10)
    assert signals.stops == [False, True, True]
    assert signals.told == ["stopping after the update in progress, an evaluation at once; once more stops at once"]


async def test_a_hangup_that_is_ignored_stays_so(signals: SimpleNamespace) -> None:
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert signals.stops == []


STDIN = """
import sys
from pipeline.command.process import stdin_has_ended
print(stdin_has_ended(), flush=True)
print(stdin_has_ended(None), flush=True)  # what is written
print(stdin_has_ended(None), flush=True)  # the end
"""


def test_the_end_of_standard_input_is_no_text_in_it() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STDIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=0
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "False\n"
        process.stdin.write("text")
        assert process.stdout.readline() == "False\n"
        process.stdin.close()
        assert process.stdout.readline() == "True\n"


def test_a_closed_standard_input_has_ended() -> None:
    code = "import os; os.close(0); from pipeline.command.process import stdin_has_ended; assert stdin_has_ended()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
