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

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline.play.player import Player, write_failure
from pipeline.play.record import HEADER
from pipeline.workers.birth import become_worker

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
        header = self._ring.header(slot)
        if self._player.play(header, self._ring.record(slot)):
            try:
                self._ring.fill(slot)
            except Exception:  # noqa: BLE001  # a debug run's, of fields that were not written
                write_failure(header, traceback.format_exc())


_worker: Worker | None = None
_start_failure: str = "the worker was not initialized"
_spec: WorkerSpec | None = None


def initialize(spec: WorkerSpec) -> None:
    """Make this process a worker (the executor's initializer).

    A failure to start must not break the pool, which would hide its reason: it is kept, and told by the first slot.
    """
    global _worker, _start_failure, _spec  # a process is one worker; the executor offers no other place
    become_worker(spec.faults_path)
    _spec = spec
    try:
        _worker = Worker(spec)
    except Exception:  # noqa: BLE001  # told by `play`
        _start_failure = traceback.format_exc()


def play(slots: tuple[int, ...]) -> None:
    """Play the episodes of leased slots, one after the other; how each went stands in its slot."""
    if _worker is None:
        _report_start_failure(slots)
        return
    for slot in slots:
        _worker.play(slot)


def _report_start_failure(slots: tuple[int, ...]) -> None:
    if _spec is None:
        raise RuntimeError(_start_failure)
    ring = _spec.attach_ring()
    try:
        for slot in slots:
            write_failure(ring.header(slot), _start_failure)
    finally:
        ring.close()
