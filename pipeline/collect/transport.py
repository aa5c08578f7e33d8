"""How episodes travel between the parent and the executor's workers: through shared memory, or pickled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from pipeline.play import parcel
from pipeline.workers import pickled
from pipeline.workers import shared as worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from native_buffers.ring import EpisodeRing
    from native_buffers.weights import WeightBoard
    from pipeline.play.game import GameSpec
    from pipeline.workers.shared import WorkerSpec

Slots = tuple[int, ...]


class Transport(Protocol):
    """What the executor is given to call, and what becomes of the answer."""

    @property
    def initializer(self) -> tuple[Callable[..., None], tuple[Any, ...]]:
        """What each worker calls first, with its arguments."""
        ...

    def task(self, slots: Slots) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return the call, with its arguments, that plays leased slots of one weight version."""
        ...

    def deliver(self, slots: Slots, answer: Any) -> None:
        """Do what is left to do for the slots to be filled, given what the call returned."""
        ...

    def player(self, slots: Slots) -> int | None:
        """Return the process id of the worker that holds a task, or None if nobody is told."""
        ...


class SharedMemory:
    """Only slot indices cross; see `worker.py`."""

    def __init__(self, spec: WorkerSpec, ring: EpisodeRing) -> None:
        """Args: spec: what each worker is told. ring: this process's own."""
        self.initializer = worker.initialize, (spec,)
        self._ring = ring

    def task(self, slots: Slots) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return the call that plays leased slots in place."""
        return worker.play, (slots,)

    def deliver(self, slots: Slots, answer: Any) -> None:
        """Do nothing: the worker filled them."""

    def player(self, slots: Slots) -> int | None:
        """Return who wrote its process id to one of the slots' headers."""
        return next((pid for slot in slots if (pid := int(self._ring.header(slot)["worker_pid"]))), None)


class Pickled:
    """The weights go out with every task, the slots' bytes come back; see `pickled.py`."""

    def __init__(
        self,
        game: GameSpec,
        ring: EpisodeRing,
        board: WeightBoard,
        *,
        debug: bool = False,
        faults_path: str | None = None,
    ) -> None:
        """Prepare to send parcels.

        Args:
            game: What is played.
            ring: This process's own.
            board: This process's own.
            debug: Poison what is not written.
            faults_path: See `birth.become_worker`.
        """
        self.initializer = pickled.initialize, (game, debug, faults_path)
        self._ring = ring
        self._board = board

    def task(self, slots: Slots) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return the call that plays leased slots elsewhere."""
        version = int(self._ring.header(slots[0])["weight_version"])
        return pickled.play, (self._board.read(version), parcel.pack(self._ring, slots))

    def deliver(self, slots: Slots, answer: Any) -> None:
        """Copy the slots' bytes in, or write down why there are none."""
        parcel.unpack(self._ring, slots, answer)

    def player(self, slots: Slots) -> int | None:
        """Return None: the headers come back when all is over."""
        return None
