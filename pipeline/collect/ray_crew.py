"""The actors of one collector: asked for, checked, replaced.

```
 hire() -> placed by Ray, whenever a node has room -> introduces itself -> up -> dies, alone or with its node
   ^                                                   | other bits: the run ends              |
   +---------------------------------------------------+---------------------------------------+
```

The event loop's side keeps the books and never waits for Ray; what may block is called on Ray's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.collect import ray_cluster
from pipeline.collect.ray_player import RayPlayer
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import concurrent.futures

    from pipeline.collect.fingerprint import Fingerprint
    from pipeline.collect.game import GameSpec
    from pipeline.collect.ray_player import Introduction

MAX_TASKS_PER_ACTOR = 2
"""One being played, and one that waits there, so that the actor need not wait for the network."""
NO_CPU_PATIENCE_S = 30.0
"""For which no actor is up and the cluster has no CPU at all, before that counts as hopeless."""
MAX_STILLBORN_GENERATIONS = 5
"""Times in a row that actors may die before any is up, before that counts as hopeless."""
GONE_TIMEOUT_S = 10.0
"""For killed actors to be gone."""


class RayNodeDiffersError(PipelineError):
    """An actor would not play the bits that this machine would."""

    def __init__(self, node: str, differences: list[str]) -> None:
        super().__init__(
            f"Ray node {node} would give other results than this machine: {'; '.join(differences)}. Install the same "
            "versions on both, or take the node out of the cluster (`ray stop` there)"
        )


class RayActorsFailError(PipelineError):
    """Actors can't even say who they are."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Ray actors can't start: {reason}. Is cage2-pipeline installed on every node, in the Python that runs "
            "`ray start`, and is the token the same everywhere (`ray get-auth-token`)?"
        )


class RayWithoutCpusError(PipelineError):
    """The cluster has no CPU that an actor could get."""

    def __init__(self) -> None:
        super().__init__(
            f"the Ray cluster has had no CPU for {NO_CPU_PATIENCE_S:.0f} s: add a machine with `ray start "
            "--address=HOST:PORT`, and look with `ray status`"
        )


@dataclass(eq=False)
class RayActor:
    """One actor, from the moment that Ray is asked for it."""

    handle: Any
    generation: int
    """Which set it belongs to: those that were there between two deaths."""
    pid: int = 0
    """0 until it has introduced itself."""
    tasks: deque[tuple[int, ...]] = field(default_factory=deque)
    """Slots that it was given, in the order in which it plays them."""
    killer: tuple[int, ...] | None = None
    """What it was playing when it died; what waited behind it was not started."""


class RayCrew:
    """The actors of one collector, on any machine of the cluster."""

    def __init__(self, game: GameSpec, num_actors: int, *, debug: bool) -> None:
        """Args: game: what is played. num_actors: how many. debug: poison records before they are played."""
        self._game = game
        self._num_actors = num_actors
        self._debug = debug
        self._actors: set[RayActor] = set()
        self._generation = 0
        self._stillborn: set[int] = set()  # generations of which actors died, since one last came up
        self._fingerprint: Fingerprint | None = None
        self._failure: PipelineError | None = None
        self._changed = asyncio.Event()
        self._closed = False
        self._make_actor: Any = None  # this and the next are only touched on Ray's thread
        self._handles: list[Any] = []

    @property
    def num_alive(self) -> int:
        """Actors that are up."""
        return sum(bool(actor.pid) for actor in self._actors)

    @property
    def generation(self) -> int:
        """Times that actors died, those that died together counted once."""
        return self._generation

    def open(self, num_cpus: int) -> None:
        """Get ready to hire; to be called on Ray's thread, when it is connected.

        Args:
            num_cpus: That each actor holds.
        """
        import ray

        self._make_actor = ray.remote(RayPlayer).options(num_cpus=num_cpus, scheduling_strategy="SPREAD")

    async def start(self, fingerprint: Fingerprint) -> None:
        """Ask for all actors, and wait until the first is up.

        Args:
            fingerprint: What each must have.

        Raises:
            RayNodeDiffersError: One would play other bits than this process.
            RayActorsFailError: None can run our code.
            RayWithoutCpusError: The cluster has no CPU.
        """
        self._fingerprint = fingerprint
        for _ in range(self._num_actors):
            self._hire()
        await self._wait_until_up()

    async def idlest(self) -> RayActor:
        """Wait for an actor that is up and has room for a task; of several return the one with the fewest.

        Raises:
            PipelineError: As `start`.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            free = [actor for actor in self._actors if actor.pid and len(actor.tasks) < MAX_TASKS_PER_ACTOR]
            if free:
                return min(free, key=lambda actor: len(actor.tasks))
            await (self._changed.wait() if self.num_alive else self._wait_until_up())

    def holder(self, slots: tuple[int, ...]) -> RayActor | None:
        """Return the actor that was given a task, if one was."""
        return next((actor for actor in self._actors if slots in actor.tasks), None)

    def replace(self, actor: RayActor) -> None:
        """Note that an actor died, once, and ask for another."""
        if actor not in self._actors or self._closed:
            return
        self._actors.remove(actor)
        actor.killer = actor.tasks[0] if actor.tasks else None
        if actor.generation == self._generation:
            self._generation += 1
        ray_cluster.submit(partial(self._dismiss, actor.handle))  # make sure that it is dead
        self._hire()
        self.note_change()

    async def kill(self, actor: RayActor) -> None:
        """Kill an actor that hangs; what it plays then fails."""
        await ray_cluster.on_thread(partial(self._kill, actor.handle))

    def note_change(self) -> None:
        """Wake all who wait for an actor."""
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Ask for no more actors, and forget those that there are."""
        self._closed = True
        self._actors.clear()
        self.note_change()

    def dismiss_all(self) -> None:
        """Kill all actors and wait until they are gone; to be called on Ray's thread, after `close`."""
        self._make_actor = None
        if not self._handles:
            return
        import ray

        for handle in self._handles:
            ray.kill(handle)
        gone = [handle.introduce.remote() for handle in self._handles]  # answered, with an error, once it is
        ray.wait(gone, num_returns=len(gone), timeout=GONE_TIMEOUT_S)
        self._handles.clear()

    def _hire(self) -> None:
        """Ask Ray for an actor, which may take any time to come up."""
        hiring = asyncio.wrap_future(ray_cluster.submit(self._hire_on_thread))
        hiring.add_done_callback(partial(self._on_hired, self._generation))

    def _hire_on_thread(self) -> tuple[Any, concurrent.futures.Future[Introduction]] | None:
        if self._make_actor is None:  # closed meanwhile
            return None
        handle = self._make_actor.remote(self._game, self._debug)
        self._handles.append(handle)
        return handle, handle.introduce.remote().future()

    def _on_hired(
        self, generation: int, hiring: asyncio.Future[tuple[Any, concurrent.futures.Future[Introduction]] | None]
    ) -> None:
        if hiring.cancelled():
            return
        if error := hiring.exception():
            self._fail(RayActorsFailError(_last_line(error)))
        elif (hired := hiring.result()) and not self._closed:
            handle, introduction = hired
            actor = RayActor(handle, generation)
            self._actors.add(actor)
            asyncio.wrap_future(introduction).add_done_callback(partial(self._on_introduced, actor))

    def _on_introduced(self, actor: RayActor, future: asyncio.Future[Introduction]) -> None:
        if future.cancelled():
            return
        if error := future.exception():
            self._on_stillborn(actor, error)
            return
        introduction = future.result()
        self._stillborn.clear()
        assert self._fingerprint is not None, "taken before there were actors"  # noqa: S101
        if differences := self._fingerprint.differences(introduction.fingerprint):
            self._fail(RayNodeDiffersError(introduction.host, differences))
            return
        actor.pid = introduction.pid
        self.note_change()

    def _on_stillborn(self, actor: RayActor, error: BaseException) -> None:
        from ray.exceptions import ActorDiedError, RayTaskError

        if self._closed:
            return
        self._stillborn.add(actor.generation)
        raised = isinstance(error, RayTaskError) or (
            isinstance(error, ActorDiedError) and "creation task" in str(error)
        )
        if raised or (len(self._stillborn) >= MAX_STILLBORN_GENERATIONS and not self.num_alive):
            self._fail(RayActorsFailError(_last_line(error)))
        else:
            self.replace(actor)

    async def _wait_until_up(self) -> None:
        """Wait until an actor is up, however long it takes, as long as the cluster has CPUs at all."""
        while not self.num_alive:
            if self._failure is not None:
                raise self._failure
            try:
                async with asyncio.timeout(NO_CPU_PATIENCE_S):
                    await self._changed.wait()
            except TimeoutError:
                if not await ray_cluster.on_thread(_num_cpus):
                    raise RayWithoutCpusError from None

    def _fail(self, failure: PipelineError) -> None:
        self._failure = self._failure or failure
        self.note_change()

    def _dismiss(self, handle: Any) -> None:
        self._kill(handle)
        if handle in self._handles:
            self._handles.remove(handle)

    def _kill(self, handle: Any) -> None:
        if handle in self._handles:
            import ray

            ray.kill(handle)


def _num_cpus() -> int:
    import ray

    return int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]  # as Ray has it


def _last_line(error: BaseException) -> str:
    """Return what an error of Ray's says, behind the stack that it quotes."""
    lines = (line.strip().rstrip(".") for line in reversed(str(error).splitlines()))
    return next((line for line in lines if line), type(error).__name__)
