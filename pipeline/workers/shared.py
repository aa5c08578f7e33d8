"""A worker process of the executor: whole episodes, from slot to slot, through shared memory.

```
 parent                               shared memory                 worker
 lease slot, write header ---------->  header  <------------------- read header
 publish(version) ------------------>  weights <------------------- read weights, once per version
 submit (slot, slot, ...)  =========== executor's pipe ===========> play()
                                       record  <------------------- write each step
 row of the batch <------------------  record                       mark FILLED
```

Workers neither log nor raise: what goes wrong is written to the slot's header, where the parent finds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline.play.player import Player
from pipeline.play.record import HEADER, write_failures
from pipeline.workers.birth import become_worker
from pipeline.workers.start import NOT_INITIALIZED, StartFailure, build_or_keep_why

if TYPE_CHECKING:
    from pipeline.play.game import GameSpec


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """All that a worker is told at its start; small: this and slot indices are all that is pickled."""

    game: GameSpec
    ring_name: str
    board_name: str
    num_slots: int
    num_slabs: int
    debug: bool
    faults_path: str | None = None
    """See `birth.become_worker`."""

    def attach_ring(self) -> EpisodeRing:
        """Attach to the run's ring."""
        return EpisodeRing.attach(self.ring_name, HEADER, self.game.record, self.num_slots, debug=self.debug)

    def attach_board(self) -> WeightBoard:
        """Attach to the run's weight board."""
        return WeightBoard.attach(self.board_name, self.game.shape.actor.num_values, self.num_slabs)


class Worker:
    """What a worker process holds between episodes."""

    def __init__(self, spec: WorkerSpec) -> None:
        """Attach to the run's shared memory and build the environment."""
        self._ring = spec.attach_ring()
        self._player = Player(spec.game, spec.attach_board().read)

    def play(self, slot: int) -> None:
        """Play the episode that a slot's header asks for, and fill the slot; if it fails, the header says why."""
        self._player.play_slot(self._ring, slot)


_worker: Worker | StartFailure = NOT_INITIALIZED
_spec: WorkerSpec | None = None


def initialize(spec: WorkerSpec) -> None:
    """Make this process a worker (the executor's initializer). A failure to start is kept for the first slots."""
    global _worker, _spec  # a process is one worker; the executor offers no other place
    become_worker(spec.faults_path)
    _spec = spec
    _worker = build_or_keep_why(lambda: Worker(spec))


def play(slots: tuple[int, ...]) -> None:
    """Play the episodes of leased slots, one after the other; how each went stands in its slot."""
    if isinstance(_worker, StartFailure):
        _tell(slots, _worker.reason)
        return
    for slot in slots:
        _worker.play(slot)


def _tell(slots: tuple[int, ...], reason: str) -> None:
    if _spec is None:
        raise RuntimeError(reason)
    ring = _spec.attach_ring()
    try:
        write_failures(ring, slots, reason)
    finally:
        ring.close()
