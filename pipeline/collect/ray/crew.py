"""The actors of one collector: asked for, checked, replaced.

```
 hire() -> placed by Ray, whenever a node has room -> introduces itself -> up -> dies, alone or with its node
   ^                                                   | other bits: the run ends              | told by `watch`
   +---------------------------------------------------+---------------------------------------+
```

On each that is up a call is pending that fails when it dies, so that who dies with nothing to play is noticed too. A
node's actors are told one after the other: on any death the idle ones get nothing to play until they answer.

The event loop's side keeps the books and never waits for Ray; what may block is called on Ray's thread.

Ray numbers the calls that a thread makes, and all threads that have ever connected to it number theirs alike: ours, and
the program's own if it has used Ray before. At two calls with one number on one actor Ray ends the process. So the
thread that connects makes and ends actors, and others call them.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from pipeline.collect.ray import cluster as ray_cluster
from pipeline.collect.ray.errors import RayActorsFailError, RayNodeDiffersError, RayWithoutCpusError
from pipeline.collect.ray.roster import RayActor, RayRoster
from pipeline.workers.ray import WATCH, RayPlayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.play.fingerprint import Fingerprint
    from pipeline.play.game import GameSpec
    from pipeline.workers.ray import Introduction

_P = ParamSpec("_P")
_T = TypeVar("_T")

NO_CPU_PATIENCE_S = 30.0
"""For which no actor is up and the cluster has no CPU at all, before that counts as hopeless."""
MAX_STILLBORN_GENERATIONS = 5
"""Times in a row that actors may die before any is up, before that counts as hopeless."""
GONE_TIMEOUT_S = 10.0
"""For killed actors to be gone."""


def _told(call: Callable[Concatenate[RayCrew, _P], None]) -> Callable[Concatenate[RayCrew, _P], None]:
    """Have what a callback raises end the run: the loop would only log it, and the run would wait for ever."""

    @wraps(call)
    def told(crew: RayCrew, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            call(crew, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  # told by `assign` and `start`
            crew._failure = crew._failure or error  # noqa: SLF001  # it is one of the crew's own methods
            crew._note_change()  # noqa: SLF001

    return told


class RayCrew:
    """The actors of one collector, on any machine of the cluster."""

    def __init__(self, game: GameSpec, num_actors: int, *, debug: bool) -> None:
        """Args: game: what is played. num_actors: how many. debug: poison records before they are played."""
        self._game = game
        self._num_actors = num_actors
        self._debug = debug
        self._roster = RayRoster()
        self._stillborn: set[int] = set()  # generations that died before they were up, since one last was
        self._fingerprint: Fingerprint | None = None
        self._failure: Exception | None = None
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._closed = False
        self._make_actor: Any = None  # this and the next are only touched on Ray's thread
        self._handles: list[Any] = []

    @property
    def num_alive(self) -> int:
        """Actors that are up."""
        return self._roster.num_up

    @property
    def generation(self) -> int:
        """Times that actors died, those that died together counted once."""
        return self._roster.generation

    def open(self, num_cpus: int) -> None:
        """Get ready to hire; to be called on Ray's thread, when it is connected.

        Args:
            num_cpus: That each actor holds.
        """
        import ray

        options: Any = {"num_cpus": num_cpus, "scheduling_strategy": "SPREAD", "concurrency_groups": {WATCH: 1}}
        self._make_actor = ray.remote(**options)(RayPlayer)

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

    async def assign(self, slots: tuple[int, ...]) -> RayActor:
        """Wait for an actor that is up and has room for a task; of several choose the one with the fewest.

        Args:
            slots: The task; the actor returned holds it until `release`.

        Raises:
            PipelineError: As `start`.
        """
        async with self._turn:  # one looks at a time: a place that gets free wakes one, not all who wait
            while True:
                if self._failure is not None:
                    raise self._failure
                if actor := self._roster.idlest():
                    actor.tasks.append(slots)
                    return actor
                await (self._changed.wait() if self.num_alive else self._wait_until_up())

    def release(self, actor: RayActor, slots: tuple[int, ...]) -> None:
        """Note that an actor is done with a task."""
        actor.tasks.remove(slots)
        self._note_change()

    def holder(self, slots: tuple[int, ...]) -> RayActor | None:
        """Return the actor that was given a task, if one was."""
        return self._roster.holder(slots)

    def replace(self, actor: RayActor) -> None:
        """Note that an actor died, once, and ask for another."""
        doubtful = self._roster.bury(actor)
        if doubtful is None:
            return
        ray_cluster.submit(partial(self._dismiss, actor.handle))  # make sure that it is dead
        for other in doubtful:
            self._when_done(other.handle.ping.remote().future(), self._on_answer, other)
        self._hire()
        self._note_change()

    async def kill(self, actor: RayActor) -> None:
        """Kill an actor that hangs; what it plays then fails."""
        await ray_cluster.on_thread(partial(self._kill, actor.handle))

    def close(self) -> None:
        """Ask for no more actors, and forget those that there are."""
        self._closed = True
        self._roster.clear()
        self._note_change()

    def dismiss_all(self) -> int:
        """Kill all actors and wait until they are gone; to be called on Ray's thread, after `close`.

        Returns:
            How many were not seen to end in time.
        """
        self._make_actor = None
        handles, self._handles = self._handles, []
        if not handles:
            return 0
        import ray

        for handle in handles:
            ray.kill(handle)
        gone = _on_another_thread(lambda: [handle.ping.remote() for handle in handles])
        return len(ray.wait(gone, num_returns=len(gone), timeout=GONE_TIMEOUT_S)[1])  # answered, with an error, by then

    def _hire(self) -> None:
        """Ask Ray for an actor, which may take any time to come up."""
        hiring = asyncio.wrap_future(ray_cluster.submit(self._hire_on_thread))
        hiring.add_done_callback(self._on_hired)

    def _hire_on_thread(self) -> Any:
        if self._make_actor is None:  # closed meanwhile
            return None
        handle = self._make_actor.remote(self._game, self._debug)
        self._handles.append(handle)
        return handle

    @_told
    def _on_hired(self, hiring: asyncio.Future[Any]) -> None:
        if hiring.cancelled():
            return
        if error := hiring.exception():
            raise RayActorsFailError(_last_line(error))
        if (handle := hiring.result()) and not self._closed:
            actor = RayActor(handle)
            self._roster.add(actor)
            self._when_done(handle.introduce.remote().future(), self._on_introduced, actor)

    @_told
    def _on_introduced(self, actor: RayActor, future: Future[Introduction]) -> None:
        if self._closed:
            return
        if error := future.exception():
            self._on_stillborn(actor, error)
            return
        introduction = future.result()
        self._stillborn.clear()
        assert self._fingerprint is not None, "taken before there were actors"  # noqa: S101
        if differences := self._fingerprint.differences(introduction.fingerprint):
            raise RayNodeDiffersError(introduction.host, differences)
        actor.pid = introduction.pid
        self._roster.come_up(actor)
        self._when_done(actor.handle.watch.options(concurrency_group=WATCH).remote().future(), self._on_end, actor)
        self._note_change()

    @_told
    def _on_end(self, actor: RayActor, _: Future[None]) -> None:
        self.replace(actor)

    @_told
    def _on_answer(self, actor: RayActor, future: Future[None]) -> None:
        if future.exception():
            self.replace(actor)
        else:
            self._roster.come_up(actor)
            self._note_change()

    def _on_stillborn(self, actor: RayActor, error: BaseException) -> None:
        from ray.exceptions import ActorDiedError, RayTaskError

        if isinstance(error, RayTaskError) or (isinstance(error, ActorDiedError) and "creation task" in str(error)):
            raise RayActorsFailError(_last_line(error))
        self.replace(actor)
        self._stillborn.add(actor.death)
        if len(self._stillborn) >= MAX_STILLBORN_GENERATIONS and not self.num_alive:
            raise RayActorsFailError(_last_line(error))

    def _when_done(
        self,
        future: Future[_T],
        call: Callable[[RayActor, Future[_T]], None],
        actor: RayActor,
    ) -> None:
        """Have the loop call, once Ray is done with something for an actor."""
        loop = asyncio.get_running_loop()

        def tell(done: Future[_T]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody is interested any more
                loop.call_soon_threadsafe(call, actor, done)

        future.add_done_callback(tell)

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
                    raise RayWithoutCpusError(NO_CPU_PATIENCE_S) from None

    def _note_change(self) -> None:
        """Wake who waits for an actor."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _dismiss(self, handle: Any) -> None:
        self._kill(handle)
        if handle in self._handles:
            self._handles.remove(handle)

    def _kill(self, handle: Any) -> None:
        if handle in self._handles:
            import ray

            ray.kill(handle)


def _on_another_thread(call: Callable[[], _T]) -> _T:
    """Return what a thread that has never connected comes to."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised here
            future.set_exception(error)

    threading.Thread(target=run, name="cage2-ray-calls", daemon=True).start()
    return future.result()


def _num_cpus() -> int:
    import ray

    return int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]  # as Ray has it


def _last_line(error: BaseException) -> str:
    """Return what an error of Ray's says, behind the stack that it quotes."""
    lines = (line.strip().rstrip(".") for line in reversed(str(error).splitlines()))
    return next((line for line in lines if line), type(error).__name__)
