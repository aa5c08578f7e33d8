from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pipeline.observe import feed as module
from pipeline.observe.feed import Feed
from pipeline.types import CheckpointWritten

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pipeline.types import Event


def event(number: int) -> CheckpointWritten:
    return CheckpointWritten("", number)


async def numbers(events: AsyncIterator[Event]) -> list[int]:
    return [event.total_episodes async for event in events if isinstance(event, CheckpointWritten)]


async def test_every_listener_hears_everything_from_when_it_listened() -> None:
    feed = Feed()
    feed.emit(event(0))  # to nobody
    first = feed.listen()
    feed.emit(event(1))
    second = feed.listen()
    feed.emit(event(2))
    feed.close()
    assert await numbers(second) == [2]
    assert await numbers(first) == [1, 2]
    assert feed.num_dropped == 0


async def test_listeners_that_wait_are_woken() -> None:
    feed = Feed()
    listeners = [asyncio.create_task(numbers(feed.listen())) for _ in range(3)]
    for number in range(5):
        await asyncio.sleep(0)
        feed.emit(event(number))
    await asyncio.sleep(0)
    feed.close()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*listeners) == [[0, 1, 2, 3, 4]] * 3


async def test_a_slow_listener_misses_the_oldest_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_EVENTS", 4)
    feed = Feed()
    slow, fast = feed.listen(), feed.listen()
    heard = asyncio.create_task(numbers(fast))
    for number in range(10):
        feed.emit(event(number))
        await asyncio.sleep(0)
    feed.close()
    assert await heard == list(range(10))
    assert await numbers(slow) == [6, 7, 8, 9]
    assert feed.num_dropped == 6


async def test_the_bound_is_as_documented() -> None:
    feed = Feed()
    slow = feed.listen()
    for number in range(4096 + 2):
        feed.emit(event(number))
    feed.close()
    assert (await numbers(slow))[0] == 2
    assert feed.num_dropped == 2


async def test_who_listens_after_the_end_hears_nothing() -> None:
    feed = Feed()
    feed.emit(event(0))
    feed.close()
    feed.close()
    async with asyncio.timeout(10):
        assert await numbers(feed.listen()) == []


async def test_what_is_emitted_while_listeners_read_is_heard() -> None:
    feed = Feed()
    feed_events = feed.listen()
    feed.emit(event(0))
    heard = []
    async for item in feed_events:
        assert isinstance(item, CheckpointWritten)
        heard.append(item.total_episodes)
        if item.total_episodes < 3:
            feed.emit(event(item.total_episodes + 1))
        else:
            feed.close()
    assert heard == [0, 1, 2, 3]


@pytest.mark.parametrize("how", ["never iterate", "break", "cancel"])
async def test_a_listener_that_leaves_is_forgotten(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED_EVENTS", 1)
    feed = Feed()
    if how == "never iterate":
        feed.listen()
    elif how == "break":
        events = feed.listen()
        feed.emit(event(0))
        async for _ in events:
            break
        await events.aclose()  # type: ignore[attr-defined]  # an async generator
    else:
        task = asyncio.create_task(numbers(feed.listen()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for number in range(3):
        feed.emit(event(number))
    assert feed.num_dropped == 0  # nobody lags behind
