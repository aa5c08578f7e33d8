"""Instruments: the clock that episodes pass, bytes in pipes, memory and processor time of all processes."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import time
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Window:
    """What happened between two arrivals."""

    seconds: float
    num_episodes: int
    busy_s: float
    """Worker seconds spent in episodes."""
    parent_cpu_share: float
    children_cpu_share: float


class Meter:
    """Counts episodes as they arrive, and times a window of them.

    A window begins and ends right after an arrival, whatever number of episodes came at once, so that no part of a
    task is counted with another's time. What is in flight at its ends is counted late or early, both alike.
    """

    def __init__(self) -> None:
        self.num_episodes = 0
        self.busy_s = 0.0
        """Worker seconds in the episodes counted."""
        self.first_s: float | None = None
        """From the making of this meter to the first episode."""
        self._started_s = time.perf_counter()
        self._arrived = asyncio.Event()

    def count(self) -> None:
        """Note that an episode is in the parent."""
        if self.first_s is None:
            self.first_s = time.perf_counter() - self._started_s
        self.num_episodes += 1
        self._arrived.set()

    async def warm_up(self, seconds: float, num_episodes: int, is_up: Callable[[], bool]) -> None:
        """Wait until so many episodes have arrived, all workers are up, and so long has passed since the first one."""
        begin_s = now_s = await self._next_arrival()
        while self.num_episodes < num_episodes or now_s < begin_s + seconds or not is_up():
            now_s = await self._next_arrival()

    async def window(self, seconds: float, num_episodes: int) -> Window:
        """Time arrivals for at least so many seconds and so many episodes."""
        cpu = _cpu_seconds()
        cpu_begin_s = time.perf_counter()
        begin_s = await self._next_arrival()
        first_episode, busy_begin_s = self.num_episodes, self.busy_s
        end_s = begin_s
        while end_s < begin_s + seconds or self.num_episodes < first_episode + num_episodes:
            end_s = await self._next_arrival()
        counted, busy_s = self.num_episodes - first_episode, self.busy_s - busy_begin_s
        cpu_s = time.perf_counter() - cpu_begin_s
        parent, children = ((after - before) / cpu_s for after, before in zip(_cpu_seconds(), cpu, strict=True))
        return Window(end_s - begin_s, counted, busy_s, parent, children)

    async def _next_arrival(self) -> float:
        self._arrived.clear()
        await self._arrived.wait()
        return time.perf_counter()


class PipeTap:
    """Looks at what this process sends and receives through the pipes of `multiprocessing`, the executor's included."""

    def __init__(self) -> None:
        self.num_sent_bytes = 0
        self.num_received_bytes = 0
        self._sent: Any = b""
        self._received: Any = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Look while this lasts. All pipes pass these two methods; the executor wakes itself with empty messages."""
        send, receive = Connection._send_bytes, Connection._recv_bytes  # type: ignore[attr-defined]  # noqa: SLF001

        def tapped_send(connection: Any, message: Any) -> None:
            if len(message):
                self.num_sent_bytes += len(message)
                self._sent = message
            send(connection, message)

        def tapped_receive(connection: Any, maxsize: int | None = None) -> Any:
            message = receive(connection, maxsize)
            if size := message.getbuffer().nbytes:
                self.num_received_bytes += size
                self._received = message
            return message

        Connection._send_bytes, Connection._recv_bytes = tapped_send, tapped_receive  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            yield
        finally:
            Connection._send_bytes, Connection._recv_bytes = send, receive  # type: ignore[attr-defined]  # noqa: SLF001

    @property
    def last_sent(self) -> bytes:
        """The last message that was sent."""
        return bytes(self._sent)

    @property
    def last_received(self) -> bytes:
        """The last message that was received."""
        return b"" if self._received is None else bytes(self._received.getvalue())


def round_trip_us(message: bytes, repeats: int = 200) -> float:
    """Return the microseconds that it takes to pickle and unpickle a pickled message."""
    content = pickle.loads(message)  # noqa: S301  # made by this program
    begin_s = time.perf_counter()
    for _ in range(repeats):
        pickle.loads(ForkingPickler.dumps(content))  # noqa: S301  # made here
    return (time.perf_counter() - begin_s) / repeats * 1e6


def pss_bytes() -> int:
    """Return the memory of this process and all its descendants, each shared page counted once."""
    return sum(_ask_all(lambda process: int(process.memory_full_info().pss)))


def pss_mib(pid: int) -> float:
    """Return the proportional set size of a process and all that it has started."""
    process = psutil.Process(pid)
    total = 0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += each.memory_full_info().pss
    return total / 2**20


def processor_s(pid: int) -> float:
    """Return the processor time of a process and all that it has started, seconds."""
    process = psutil.Process(pid)
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


def _cpu_seconds() -> tuple[float, float]:
    """Return the processor seconds of this process and of all its living descendants."""
    own, *others = _ask_all(lambda process: sum(process.cpu_times()[:2]))
    return own, sum(others)


def _ask_all(question: Callable[[psutil.Process], Any]) -> list[Any]:
    answers = []
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            answers.append(question(process))
        except psutil.Error:  # it ended meanwhile
            continue
    return answers
