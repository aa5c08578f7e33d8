"""The crew without Ray: what Ray would tell it, a test tells it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.collect.ray import cluster as ray_cluster
from pipeline.collect.ray.crew import RayCrew
from pipeline.collect.ray.roster import MAX_TASKS_PER_ACTOR, RayActor
from pipeline.play.fingerprint import Fingerprint
from pipeline.play.game import GameSpec
from pipeline.workers.ray import Introduction

ray = pytest.importorskip("ray", reason="an extra: pip install '.[ray]'")

TIMEOUT_S = 10
GAME = GameSpec("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, 100, Interface())
HERE = Fingerprint({"Python": "3"}, "layout", "sources", "episode", "machine")


class Call:
    """A method of an actor's: what was called of it ends when a test says so."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self.threads: list[threading.Thread] = []

    def options(self, **_: Any) -> Call:
        return self

    def remote(self) -> Call:
        self.threads.append(threading.current_thread())
        self.futures.append(Future())
        return self

    def future(self) -> Future[Any]:
        return self.futures[-1]


class Handle:
    """An actor as Ray gives it."""

    def __init__(self) -> None:
        self.introduce, self.watch, self.ping = Call(), Call(), Call()

    def die(self) -> None:
        for call in (self.watch, self.ping):
            for future in call.futures:
                if not future.done():
                    future.set_exception(OSError("it died"))


class Ray:
    """Gives handles."""

    def __init__(self) -> None:
        self.handles: list[Handle] = []

    def remote(self, *_: Any) -> Handle:
        self.handles.append(Handle())
        return self.handles[-1]


class Stand:
    """A crew, and the Ray that it believes in."""

    def __init__(self, num_actors: int) -> None:
        self.ray = Ray()
        self.crew = RayCrew(GAME, num_actors, debug=False)
        self.crew._make_actor = self.ray
        self.crew._fingerprint = HERE
        self.crew._kill = lambda handle: None  # type: ignore[method-assign]
        for _ in range(num_actors):
            self.crew._hire()

    async def come_up(self, number: int) -> list[RayActor]:
        """Have so many more introduce themselves."""
        await self.until(lambda: sum(bool(handle.introduce.futures) for handle in self.ray.handles) >= number)
        num_alive = self.crew.num_alive
        for pid, handle in enumerate([one for one in self.ray.handles if not one.watch.futures][:number], 100):
            handle.introduce.futures[0].set_result(Introduction(pid, "here", HERE))
        await self.until(lambda: self.crew.num_alive == num_alive + number)
        return [actor for actor in self.crew._roster._known if actor.pid]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            while not condition():  # noqa: ASYNC110  # what is awaited happens on another thread
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def stand() -> Stand:
    return Stand(4)


@pytest.mark.asyncio
async def test_actors_that_die_with_nothing_to_play_are_noticed(stand: Stand) -> None:
    for actor in await stand.come_up(4):
        actor.handle.die()
    await stand.until(lambda: stand.crew.num_alive == 0 and len(stand.ray.handles) == 8)
    assert stand.crew.generation == 1


@pytest.mark.asyncio
async def test_after_a_death_the_idle_get_nothing_to_play_until_they_answer(stand: Stand) -> None:
    actors = await stand.come_up(4)
    dead = await stand.crew.assign((0,))
    stand.crew.replace(dead)
    assert stand.crew.num_alive == 0
    waiting = asyncio.ensure_future(stand.crew.assign((1,)))
    idle = [actor for actor in actors if actor is not dead]
    assert all(len(actor.handle.ping.futures) == 1 for actor in idle)
    idle[0].handle.die()  # it died too, and Ray told so later
    await stand.until(lambda: len(stand.ray.handles) == 6)
    assert not waiting.done()
    idle[1].handle.ping.futures[0].set_result(None)
    assert await asyncio.wait_for(waiting, TIMEOUT_S) is idle[1]
    assert (stand.crew.num_alive, stand.crew.generation) == (1, 1)


@pytest.mark.asyncio
async def test_a_place_that_gets_free_wakes_one_who_waits(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    await stand.come_up(1)
    held = [await stand.crew.assign((index,)) for index in range(MAX_TASKS_PER_ACTOR)]
    waiting = [asyncio.ensure_future(stand.crew.assign((100 + index,))) for index in range(200)]
    await asyncio.sleep(0)
    num_looks = 0
    idlest = stand.crew._roster.idlest

    def look() -> RayActor | None:
        nonlocal num_looks
        num_looks += 1
        return idlest()

    monkeypatch.setattr(stand.crew._roster, "idlest", look)
    stand.crew.release(held[0], (0,))
    assert await asyncio.wait_for(waiting[0], TIMEOUT_S) is held[0]
    await asyncio.sleep(0)
    assert num_looks <= 2, "it took the place, and the next one saw that there is no more"
    waiting[1].cancel()  # whoever gives up holds up nobody
    await asyncio.sleep(0)
    stand.crew.release(held[0], (1,))
    await asyncio.wait_for(waiting[2], TIMEOUT_S)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.asyncio
async def test_what_a_callback_raises_ends_the_run(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("a mistake")

    waiting = asyncio.ensure_future(stand.crew.assign((0,)))
    await stand.until(lambda: len(stand.ray.handles) == 4 and stand.ray.handles[0].introduce.futures)
    monkeypatch.setattr(Fingerprint, "differences", fail)
    stand.ray.handles[0].introduce.futures[0].set_result(Introduction(1, "there", replace(HERE, layout="other")))
    with pytest.raises(KeyError, match="a mistake"):
        await asyncio.wait_for(waiting, TIMEOUT_S)


@pytest.mark.asyncio
async def test_who_dies_after_the_end_is_not_replaced(stand: Stand) -> None:
    actors = await stand.come_up(4)
    stand.crew.close()
    for actor in actors:
        actor.handle.die()
    await asyncio.sleep(0)  # the loop was told by this thread: it has heard by then
    assert len(stand.ray.handles) == 4
    assert stand.crew.num_alive == stand.crew.generation == 0


@pytest.mark.asyncio
async def test_the_thread_that_connects_calls_no_actor(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray ends a process of which two threads that have ever connected call one actor under the same number."""
    dead, *idle = await stand.come_up(4)
    stand.crew.replace(dead)
    await stand.until(lambda: len(stand.ray.handles) == 5 and stand.ray.handles[4].introduce.futures)
    stand.crew.close()
    monkeypatch.setattr(ray, "kill", lambda _: None)
    monkeypatch.setattr(ray, "wait", lambda calls, **_: (calls, []))
    connecting = await ray_cluster.on_thread(threading.current_thread)
    assert await ray_cluster.on_thread(stand.crew.dismiss_all) == 0
    assert [len(actor.handle.ping.futures) for actor in idle] == [2, 2, 2], "all are waited for"
    calls = [call for handle in stand.ray.handles for call in (handle.introduce, handle.watch, handle.ping)]
    assert connecting not in {thread for call in calls for thread in call.threads}
