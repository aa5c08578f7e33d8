"""The process's connection to Ray: one, shared by all collectors that use it, and closed by the last of them.

```
 collector -- join() --+                    +-- `local`: a cluster of its own, started here, ended by the last leave()
 collector -- join() --+-- one connection --+-- `auto`, HOST:PORT: a cluster that runs, left by the last leave()
                                            +-- the host program's own ray.init(): used, and left alone
```

All that may block is called on one thread, which lives as long as this process: Ray ends what it started when the
thread that started it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from pipeline import extras
from pipeline.collect.ray.errors import RayElsewhereError, RayUnreachableError
from pipeline.collect.ray.thread import RayThread

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")

ANSWER_TIMEOUT_S = 5.0
"""For a cluster's head to accept a connection."""
REHEARSAL_TIMEOUT_S = 30.0
"""For a process to join a cluster; an idle machine takes about 3 s."""
_REHEARSAL = """
import logging, sys, ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level=logging.CRITICAL)
except Exception as error:
    print(error)
    raise SystemExit(1)
"""
_SIGACTION_BYTES = 1024
"""More than any system's `struct sigaction`."""
MIN_STORE_BYTES = 100 * 2**20
"""Of a cluster of our own; Ray refuses less than about 75 MiB."""
_TOKEN = secrets.token_hex(32)
"""Keeps other users of this machine out of a cluster that this process starts."""


def require_ray() -> None:
    """Raise `NotInstalledError` if Ray isn't installed."""
    extras.require("--collector ray", "ray")


@dataclass
class _Connection:
    asked_for: str
    """The address as the first who joined gave it."""
    address: str
    """Of the cluster's head."""
    is_ours: bool
    """Not the host program's."""
    folder: str | None
    """Where a cluster of our own keeps its sockets and logs."""
    users: set[object] = field(default_factory=set)


_connection: _Connection | None = None  # only touched on the thread


@cache
def _thread() -> RayThread:
    return RayThread()


def submit(call: Callable[[], _T]) -> concurrent.futures.Future[_T]:
    """Have the thread call what may block; calls are made one after the other."""
    return _thread().submit(call)


async def on_thread(call: Callable[[], _T]) -> _T:
    """Have the thread call what may block, and wait for it."""
    return await asyncio.wrap_future(submit(call))


def join(user: object, address: str, *, num_workers: int, store_bytes: int) -> bool:
    """Connect to Ray, or share the connection that there is. To be called on the thread.

    Args:
        user: Who; told again to `leave`.
        address: `local`, `auto` or HOST:PORT.
        num_workers: Actors that there will be; a cluster of our own keeps as many processes ready.
        store_bytes: Of objects in flight; a cluster of our own has room for them.

    Returns:
        Whether the cluster is our own, so that nobody else needs its CPUs.

    Raises:
        RayUnreachableError: There is no cluster to be joined.
        RayElsewhereError: This process uses another one.
    """
    global _connection  # Ray has one connection per process
    if _connection is None:
        _connection = _connect(address, num_workers, store_bytes)
    elif address not in (_connection.asked_for, _connection.address) and (
        _connection.is_ours or address not in ("local", "auto")
    ):
        raise RayElsewhereError(address, _connection.address)
    _connection.users.add(user)
    return _connection.folder is not None


def leave(user: object) -> None:
    """Give the connection up; the last one closes it, if it is ours. May be repeated. To be called on the thread."""
    global _connection  # Ray has one connection per process
    if _connection is None or user not in _connection.users:
        return
    _connection.users.remove(user)
    if _connection.users:
        return
    connection, _connection = _connection, None
    if connection.is_ours:
        import ray

        with _signals():
            ray.shutdown(wait_for_processes=True)
        _forget_token()
    if connection.folder is not None:
        shutil.rmtree(connection.folder, ignore_errors=True)


def _connect(address: str, num_workers: int, store_bytes: int) -> _Connection:
    import ray

    if ray.is_initialized():
        connected = ray.get_runtime_context().gcs_address
        if address not in ("local", "auto", connected):
            raise RayElsewhereError(address, connected)
        return _Connection(address, connected, is_ours=False, folder=None)
    if address == "local":
        folder = _start(num_workers, store_bytes)
    else:
        folder = None
        _join_running(address)
    return _Connection(address, ray.get_runtime_context().gcs_address, is_ours=True, folder=folder)


def _start(num_workers: int, store_bytes: int) -> str:
    """Start a cluster of our own, without a dashboard: the processes that serve it would outlive the cluster."""
    import ray

    # Ray's sockets need a short path
    folder = tempfile.mkdtemp(prefix=f"c2p-ray-{os.getpid()}-", dir="/tmp")  # mkdtemp makes it ours alone
    try:
        # without a token of ours Ray would leave one in the user's home, and lock out later clusters with it
        told = any(name.startswith("RAY_AUTH_") for name in os.environ)
        with _signals(), _environment(**({} if told else {"RAY_AUTH_TOKEN": _TOKEN})):
            _forget_token()
            ray.init(
                address="local",
                num_cpus=num_workers,
                num_gpus=0,
                object_store_memory=max(MIN_STORE_BYTES, store_bytes),
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=folder,
            )
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, Exception):
            raise RayUnreachableError("local", _first_line(str(error))) from error
        raise
    return folder


def _forget_token() -> None:
    """Have Ray read it anew: it keeps one for the process, and the program's own clusters have another than ours."""
    with contextlib.suppress(ImportError, AttributeError):  # it is no part of Ray's interface
        from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]  # compiled

        AuthenticationTokenLoader.instance().reset_cache()


def _join_running(address: str) -> None:
    """Connect to a cluster that runs."""
    import ray

    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address  # one that is empty counts as none, as to Ray
        if address == "local":
            reason = "RAY_ADDRESS says so, and `auto` joins one that runs. Unset it, or ask for --ray-address local"
            raise RayUnreachableError(address, reason)
    if "://" in address:
        raise RayUnreachableError(address, "Ray Client (ray://) can't carry episodes")
    _rehearse(address)
    try:
        with _signals(), _environment():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        ray.shutdown()
        raise RayUnreachableError(address, _first_line(str(error))) from error


def _rehearse(address: str) -> None:
    """Join a cluster in a process of its own first: where it fails, Ray may take minutes, or abort its process."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise RayUnreachableError(address, "an address is HOST:PORT, whether asked for or in RAY_ADDRESS")
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_TIMEOUT_S).close()
        except UnicodeError as error:  # from the coding of host names
            raise RayUnreachableError(address, "no host can have that name") from error
        except (OSError, ValueError, OverflowError) as error:
            raise RayUnreachableError(address, str(error)) from error
    try:
        rehearsal = subprocess.run(  # noqa: S603  # our own code, and an address that was validated
            [sys.executable, "-c", _REHEARSAL, address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=REHEARSAL_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RayUnreachableError(address, f"nothing came of it within {REHEARSAL_TIMEOUT_S:.0f} s") from error
    if rehearsal.returncode:
        is_no_node = "raylet_ipc_client" in rehearsal.stderr
        reason = "this machine is not a node of it" if is_no_node else _first_line(rehearsal.stdout or rehearsal.stderr)
        raise RayUnreachableError(address, reason)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Put back the handlers that Ray replaces: beneath Python's, where `signal.getsignal` doesn't see it."""
    system = ctypes.CDLL(None)
    before = {}
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        action = ctypes.create_string_buffer(_SIGACTION_BYTES)
        if system.sigaction(number, None, action) == 0:
            before[number] = signal.getsignal(number), action
    try:
        yield
    finally:
        for number, (handler, action) in before.items():
            if signal.getsignal(number) == handler:  # else the host program has set another one meanwhile
                system.sigaction(number, action, None)


@contextlib.contextmanager
def _environment(**changes: str) -> Iterator[None]:
    """Lend Ray the environment's variables that it takes for its own; all that becomes of them meanwhile is undone."""
    before = {name: value for name, value in os.environ.items() if _is_rays(name)}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name in [name for name in os.environ if _is_rays(name) and name not in before]:
            del os.environ[name]
        os.environ.update(before)


def _is_rays(name: str) -> bool:
    return name.startswith("RAY_") or name == "PYTHONBREAKPOINT"


def _first_line(text: str) -> str:
    return next((line.strip().rstrip(".") for line in text.splitlines() if line.strip()), "for no reason that it told")
