from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.workers import forkserver
from pipeline.workers.forkserver import PRELOAD, Forkserver, WorkerContext

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no forkserver to speak of")

ROOT = Path(__file__).parents[3]
START = """
import asyncio, gc
from pipeline.workers.birth import become_worker
from pipeline.workers.pool import Pool

async def start():
    pool = Pool(1, become_worker)
    try:
        await pool.start()
        print("preloaded" if await pool.call(gc.get_freeze_count) else "not preloaded")
    finally:
        await pool.close()
"""
RUN = "\nasyncio.run(start())\n"
HOST = """
import json, multiprocessing, os
from multiprocessing import forkserver

if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["json"])
    for _ in range(2):
        process = context.Process(target=os.getpid)
        process.start()
        process.join()
        before = forkserver._forkserver._forkserver_pid
        asyncio.run(start())
        assert forkserver._forkserver._preload_modules == ["json"]
        assert forkserver._forkserver._forkserver_pid == before
"""
AS_A_NOTEBOOK = """
import sys, types
sys.modules["__main__"] = main = types.ModuleType("__main__")
exec({script!r}, main.__dict__)
"""


def printed(*command: str, given: str | None = None, cwd: Path = ROOT) -> list[str]:
    """Run Python; return the lines that it printed, after nothing on stderr."""
    done = subprocess.run(
        [sys.executable, *command],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_workers_come_from_a_forkserver_that_has_all_they_need() -> None:
    assert WorkerContext().get_start_method() == "forkserver"
    importlib.import_module(PRELOAD)


def test_the_programs_own_forkserver_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "host.py").write_text(START + HOST)
    assert printed("host.py", cwd=tmp_path) == ["preloaded", "preloaded"]


@pytest.mark.parametrize("way", ["stdin", "-c", "notebook", "script", "deleted", "-m", "folder"])
def test_any_main_module_will_do(way: str, tmp_path: Path) -> None:
    """Even one that starts workers when it is imported: nobody imports it."""
    script = START + RUN
    (tmp_path / "program.py").write_text(script)
    (tmp_path / "__main__.py").write_text(script)
    if way == "stdin":
        lines = printed("-", given=script, cwd=tmp_path)
    elif way == "-c":
        lines = printed("-c", script, cwd=tmp_path)
    elif way == "notebook":
        lines = printed("-c", AS_A_NOTEBOOK.format(script=script), cwd=tmp_path)
    elif way == "script":
        lines = printed("program.py", cwd=tmp_path)
    elif way == "deleted":
        (tmp_path / "program.py").write_text("import os; os.unlink(__file__)\n" + script)
        lines = printed("program.py", cwd=tmp_path)
    elif way == "-m":
        lines = printed("-m", "program", cwd=tmp_path)
    else:
        lines = printed(str(tmp_path))
    assert lines == ["preloaded"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forkserver]:
    """A forkserver that preloads nothing, in the place of this process's."""
    server = Forkserver()
    server.set_forkserver_preload([])
    monkeypatch.setattr(forkserver, "FORKSERVER", server)
    yield server
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.see_off()
    os.waitpid(server.pid, 0)
    os.close(server._forkserver_alive_fd)


def test_one_that_is_dying_is_waited_for_until_another_one_can_be_started(server: Forkserver, tmp_path: Path) -> None:
    context = WorkerContext()
    server.ensure_running()
    dying = server.pid
    assert dying is not None
    with socket.socket(socket.AF_UNIX) as closed:
        closed.bind(str(tmp_path / "socket"))
        server._forkserver_address = str(tmp_path / "socket")  # nobody listens there, as when it is dying
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                context.Process(target=os.getpid).start()
        timer = threading.Timer(0.2, os.kill, (dying, signal.SIGKILL))
        timer.start()
        server.see_off()
        timer.join()
    process = context.Process(target=os.getpid)
    process.start()
    process.join()
    assert process.exitcode == 0
    assert server.pid != dying


def test_only_one_that_is_not_up_is_abandoned(server: Forkserver) -> None:
    server.abandon_start()  # nothing is there yet
    process = WorkerContext().Process(target=os.getpid)
    process.start()
    process.join()
    up = server.pid
    server.abandon_start()
    process = WorkerContext().Process(target=os.getpid)
    process.start()
    process.join()
    assert (process.exitcode, server.pid) == (0, up)
