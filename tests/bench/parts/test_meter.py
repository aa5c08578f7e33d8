from __future__ import annotations

import asyncio
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection


async def test_a_window_lies_between_arrivals() -> None:
    from parts.meter import Meter

    meter = Meter()

    async def arrive_by_fours() -> None:
        while True:
            await asyncio.sleep(0.01)
            for _ in range(4):
                meter.busy_s += 0.5
                meter.count()

    async with asyncio.TaskGroup() as group:
        arriving = group.create_task(arrive_by_fours())
        window = await meter.window(0.05, 21)
        arriving.cancel()
    assert window.num_episodes >= 24
    assert window.num_episodes % 4 == 0  # whole tasks
    assert window.busy_s == window.num_episodes * 0.5
    assert window.seconds >= 0.05
    assert meter.first_s is not None
    assert 0 < meter.first_s < window.seconds + meter.first_s


async def test_a_warm_up_takes_its_time_its_episodes_and_its_workers() -> None:
    from parts.meter import Meter

    meter = Meter()
    asked: list[int] = []

    def is_up() -> bool:
        asked.append(meter.num_episodes)
        return len(asked) == 3

    async def arrive() -> None:
        while True:
            await asyncio.sleep(0.001)
            meter.count()

    async with asyncio.TaskGroup() as group:
        arriving = group.create_task(arrive())
        begin_s = time.perf_counter()
        await meter.warm_up(0.05, 7, is_up)
        assert time.perf_counter() >= begin_s + 0.05
        arriving.cancel()
    assert meter.num_episodes == asked[-1] >= 9  # asked once time and episodes are enough, then at each arrival


def test_a_tap_sees_what_passes() -> None:
    from parts.meter import PipeTap

    send = Connection._send_bytes  # type: ignore[attr-defined]
    here, there = Pipe()
    tap = PipeTap()
    with here, there:
        with tap.open():
            here.send_bytes(b"")
            here.send_bytes(b"abc")
            assert [there.recv_bytes(), there.recv_bytes()] == [b"", b"abc"]
            here.send_bytes(b"defgh")
            there.recv_bytes()
        here.send_bytes(b"not seen")
    assert (tap.num_sent_bytes, tap.num_received_bytes) == (8, 8)
    assert (tap.last_sent, tap.last_received) == (b"defgh", b"defgh")
    assert Connection._send_bytes is send  # type: ignore[attr-defined]
