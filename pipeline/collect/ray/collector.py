"""Actors of a Ray cluster, on this machine or many, that play parcels.

```
 parent                                Ray                              actor, on any node
 board.read(version) -- ray.put -----> object store ---once per node--> weights
 pack(slots) --------- headers ------> a call ------------------------> ParcelPlayer.play()
 unpack(slots) <------ images -------- object store <------------------ one block per task
 FILLED slots
```

Each actor holds one CPU of the cluster. One that can't be placed yet waits for a node to join; one that dies, alone or
with its node, is replaced wherever there is room. None is given anything to play before its fingerprint was found to be
this process's own.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.collect.ray import cluster as ray_cluster
from pipeline.collect.ray.crew import RayCrew
from pipeline.collect.ray.errors import RayStoreError
from pipeline.collect.ray.roster import MAX_TASKS_PER_ACTOR
from pipeline.play import parcel
from pipeline.play.fingerprint import take_fingerprint
from pipeline.workers.death import WorkersDiedError
from pipeline.workers.ray import in_pieces

if TYPE_CHECKING:
    from native_buffers.ring import EpisodeRing
    from native_buffers.weights import WeightBoard
    from pipeline.play.fingerprint import Fingerprint
    from pipeline.play.game import GameSpec

CLOSE_TIMEOUT_S = 30.0
"""For Ray to end what we started."""


class RayCollector:
    """Plays leased slots on Ray actors that live as long as the run."""

    def __init__(
        self, game: GameSpec, ring: EpisodeRing, board: WeightBoard, num_workers: int, address: str, *, debug: bool
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            game: What is played.
            ring: This process's own.
            board: This process's own.
            num_workers: Actors.
            address: `local` starts a cluster for this process, `auto` joins this machine's, HOST:PORT another's.
            debug: Poison records before they are played.

        Raises:
            NotInstalledError: Ray isn't installed.
        """
        ray_cluster.require_ray()
        self._game = game
        self._ring = ring
        self._board = board
        self._num_workers = num_workers
        self._address = address
        self._crew = RayCrew(game, num_workers, debug=debug)
        self._weights: OrderedDict[int, asyncio.Future[Any]] = OrderedDict()
        self._max_published = board.statistics().num_slabs  # the object store keeps what the board keeps
        self._is_own = False
        self._closed = False

    @property
    def max_tasks(self) -> int:
        """Tasks that are worth submitting at a time: one being played and one waiting, per actor."""
        return MAX_TASKS_PER_ACTOR * self._num_workers

    @property
    def num_rebuilds(self) -> int:
        """Times that actors died and were replaced, those that died together counted once."""
        return self._crew.generation

    @property
    def num_alive(self) -> int:
        """Actors that are up."""
        return self._crew.num_alive

    async def start(self) -> None:
        """Connect to Ray, ask for all actors, and wait until the first one is up.

        Raises:
            RayUnreachableError: There is no cluster to be joined.
            RayElsewhereError: This process uses another one.
            RayNodeDiffersError: An actor would play other bits than this process.
            RayActorsFailError: Actors can't run our code.
            RayWithoutCpusError: The cluster has no CPU.
        """
        # both before there are actors: on this machine these then only have to load what the one compiles
        fingerprint, _ = await asyncio.gather(asyncio.to_thread(self._prepare), ray_cluster.on_thread(self._join))
        await self._crew.start(fingerprint)

    async def play(self, slots: tuple[int, ...]) -> None:
        """Have an actor play leased slots of one weight version; copy in what comes back.

        Raises:
            WorkersDiedError: The actor died. Only this process writes to slots.
            RayNodeDiffersError: A node that joined would play other bits than this process.
            RayActorsFailError: Actors can't run our code.
            RayWithoutCpusError: The cluster has lost all its CPUs.
            RayStoreError: Ray's object store does not take the weights.
        """
        from ray.exceptions import RayError, RayTaskError

        weights = await self._publish(int(self._ring.header(slots[0])["weight_version"]))
        actor = await self._crew.assign(slots)
        try:
            call = actor.handle.play.remote(weights, *in_pieces(parcel.pack(self._ring, slots)))
            answer = await asyncio.wrap_future(call.future())
        except RayTaskError as error:
            answer = str(error)
        except RayError:  # it died, or its node did, with the answer perhaps
            self._crew.replace(actor)
            casualties = frozenset({actor.pid}) if actor.killer == slots else frozenset[int]()
            raise WorkersDiedError(actor.death, casualties) from None
        finally:
            self._crew.release(actor, slots)
        parcel.unpack(self._ring, slots, answer)

    async def kill(self, slots: tuple[int, ...]) -> bool:
        """Kill the actor that holds a task, if one does yet; see `Collector.kill`."""
        actor = self._crew.holder(slots)
        if actor is None:
            return False
        await self._crew.kill(actor)
        return True

    async def close(self) -> None:
        """Kill all actors, and wait until they are gone; the last collector of this process lets go of Ray.

        Warns:
            RuntimeWarning: Some may not be gone.

        Raises:
            RayError: Ray failed at it.
        """
        self._closed = True
        self._crew.close()
        self._weights.clear()
        leaving = asyncio.wrap_future(ray_cluster.submit(self._leave))
        try:
            num_left = await asyncio.wait_for(asyncio.shield(leaving), CLOSE_TIMEOUT_S)
        except TimeoutError:
            told = f"Ray has not ended what this run started within {CLOSE_TIMEOUT_S:.0f} s: `ray stop` ends all of it"
            warnings.warn(told, RuntimeWarning, stacklevel=2)
        else:
            if num_left and not self._is_own:  # a cluster of our own is gone, and they with it
                told = f"{num_left} Ray actors were killed and have not been seen to end: `ray status` shows their CPUs"
                warnings.warn(told, RuntimeWarning, stacklevel=2)

    def _prepare(self) -> Fingerprint:
        self._game.prepare()
        return take_fingerprint(self._game)

    def _join(self) -> None:
        if self._closed:
            return
        self._is_own = ray_cluster.join(
            self,
            self._address,
            num_workers=self._num_workers,
            store_bytes=2 * self._ring.statistics().size_bytes,  # all that can be in flight, and as much again
        )
        # in a cluster of our own nobody else needs CPUs, and two runs of this process must not wait for each other
        self._crew.open(num_cpus=0 if self._is_own else 1)

    def _leave(self) -> int:
        try:
            return self._crew.dismiss_all()
        finally:
            ray_cluster.leave(self)

    async def _publish(self, version: int) -> Any:
        """Return the object store's reference to a version's weights, put there when first asked for."""
        putting = self._weights.get(version)
        if putting is None:
            import ray

            weights = self._board.read(version)
            putting = self._weights[version] = asyncio.wrap_future(ray_cluster.submit(partial(ray.put, weights)))
            if len(self._weights) > self._max_published:
                self._weights.popitem(last=False)
        try:
            return await asyncio.shield(putting)
        except Exception as error:  # whatever Ray raises, nobody can play without
            if self._weights.get(version) is putting:
                del self._weights[version]
            raise RayStoreError(version, str(error)) from error
