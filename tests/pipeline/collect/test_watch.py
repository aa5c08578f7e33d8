from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import TYPE_CHECKING

from pipeline.collect import watch
from pipeline.collect.deadline import Flight
from pipeline.collect.watch import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


class Watched:
    """Tasks by name, and who was killed for them."""

    def __init__(self) -> None:
        self.limits_s: dict[str, float] = {}
        self.heard_s: dict[str, float] = {}
        self.is_waiting: set[str] = set()
        self.killed: list[str] = []
        self.has_worker = True
        self.watch: Watch[str] = Watch(self.flight, self.kill)

    def flight(self, task: str, submitted_s: float) -> Flight:
        return Flight(submitted_s, self.heard_s.get(task, 0.0), task in self.is_waiting, self.limits_s[task])

    async def kill(self, task: str) -> bool:
        self.killed.append(task)
        return self.has_worker

    def submit(self, task: str, limit_s: float) -> None:
        self.limits_s[task] = limit_s
        self.watch.submit(task)


@contextlib.asynccontextmanager
async def watching(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    monkeypatch.setattr(watch, "INTERVAL_S", 0.001)
    watched = Watched()
    running = asyncio.create_task(watched.watch.run())
    try:
        async with asyncio.timeout(10):
            yield watched
    finally:
        running.cancel()


async def test_what_hangs_is_killed_and_says_so_when_it_lands(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as watched:
        watched.submit("hangs", 0.0)
        watched.submit("plays", math.inf)
        assert len(watched.watch) == 2
        assert list(watched.watch) == ["hangs", "plays"]
        while not watched.killed:  # noqa: ASYNC110  # nobody sets an event
            await asyncio.sleep(0.001)
        assert set(watched.killed) == {"hangs"}
        assert watched.watch.land("hangs") == "it did not end within 0 s, and its worker was killed"
        assert watched.watch.land("plays") is None
        assert len(watched.watch) == 0


async def test_what_hung_is_not_forgotten_while_its_death_takes_long_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as watched:
        watched.submit("hangs", 0.0)
        while len(watched.killed) < 3:  # nobody sets an event
            await asyncio.sleep(0.001)
            watched.has_worker = not watched.killed
        assert watched.watch.land("hangs") == "it did not end within 0 s, and its worker was killed"


async def test_what_nobody_could_be_killed_for_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with watching(monkeypatch) as watched:
        watched.has_worker = False
        watched.submit("hangs", 0.0)
        while not watched.killed:  # noqa: ASYNC110  # nobody sets an event
            await asyncio.sleep(0.001)
        assert watched.watch.land("hangs") is None


async def test_a_task_that_waits_has_its_time_anew_whenever_one_lands() -> None:
    watched = Watched()
    watched.submit("waits", 10.0)
    watched.submit("plays", 10.0)
    watched.is_waiting.add("waits")
    submitted_s = time.monotonic()
    assert [task for task, _ in watched.watch.overdue(submitted_s + 11)] == ["waits", "plays"]
    watched.heard_s["plays"] = submitted_s + 5
    assert watched.watch.overdue(submitted_s + 11) == []
    watched.watch.land("plays")
    assert [task for task, _ in watched.watch.overdue(submitted_s + 11)] == ["waits"]
