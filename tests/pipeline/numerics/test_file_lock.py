from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Protocol

import pytest

from pipeline.numerics import file_lock
from pipeline.numerics.file_lock import FileLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.numerics.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]))
lock.acquire(60)
print("taken", flush=True)
sys.stdin.readline()
lock.release()
print("given back", flush=True)
sys.stdin.readline()
"""


class Hold(Protocol):
    def __call__(self) -> subprocess.Popen[str]: ...


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kernel.lock"


@pytest.fixture
def hold(path: Path) -> Iterator[Hold]:
    """Return what starts a process that has the lock, and gives it back when it reads a line."""
    started = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(path)]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        return holder

    yield start
    for holder in started:
        holder.kill()
        holder.communicate()


def is_free(path: Path) -> bool:
    """Whether a process could have the lock now: one of its own is asked, for this one may have it."""
    program = "import sys; from pathlib import Path; from pipeline.numerics.file_lock import FileLock\n"
    program += "print(FileLock(Path(sys.argv[1]))._try_to())"
    return subprocess.check_output([sys.executable, "-c", program, str(path)], text=True) == "True\n"


def test_one_process_has_it_until_it_gives_it_back(path: Path) -> None:
    lock = FileLock(path)
    for _ in range(2):
        lock.acquire(0)
        assert not is_free(path)
        lock.release()
        assert is_free(path)
    lock.release()


@pytest.mark.parametrize("end", ["released", "killed"])
def test_it_is_waited_for_until_its_holder_ends_it(
    end: str, path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = hold()
    waits = threading.Event()
    lock = FileLock(path)
    monkeypatch.setattr(file_lock, "_POLL_S", 0.001)
    monkeypatch.setattr(lock, "_try_to", lambda: waits.set() or FileLock._try_to(lock))  # type: ignore[func-returns-value]
    waiting = threading.Thread(target=lock.acquire, args=(60,))
    waiting.start()
    assert waits.wait(60)
    assert waiting.is_alive()
    if end == "killed":
        holder.send_signal(signal.SIGKILL)
    else:
        assert holder.stdin is not None
        holder.stdin.write("\n")
        holder.stdin.flush()
    waiting.join(60)
    assert not waiting.is_alive()
    assert not is_free(path)
    lock.release()


def test_it_is_not_waited_for_without_end(path: Path, hold: Hold) -> None:
    hold()
    lock = FileLock(path)
    lock.acquire(0.05)
    lock.release()
    assert not is_free(path)


def test_a_child_that_is_forked_meanwhile_does_not_have_it(path: Path) -> None:
    """One of the host program's: it would keep the lock when this process has ended."""
    lock = FileLock(path)
    lock.acquire(0)
    wait, go_on = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_on)
        os.read(wait, 1)
        os._exit(0)
    lock.release()
    assert is_free(path)
    os.close(go_on)
    os.close(wait)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_it_is_done_without_on_a_disk_without_locks(number: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.lockf", refuse)
    lock = FileLock(path)
    lock.acquire(60)
    lock.release()


@pytest.mark.parametrize("there", ["link", "pipe", "folder", "no folder"])
def test_it_is_done_without_where_something_else_has_its_name(there: str, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    if there == "link":
        path.symlink_to(target)
    elif there == "pipe":
        os.mkfifo(path)
    elif there == "folder":
        path.mkdir()
    lock = FileLock(tmp_path / "missing" / path.name if there == "no folder" else path)
    lock.acquire(60)
    lock.release()
    assert not target.exists()
