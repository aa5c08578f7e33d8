"""A worker process: one environment, built once, and whole episodes from slot to slot.

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

import os
import signal
import threading
import time
import traceback
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from multiprocessing import parent_process
from typing import TYPE_CHECKING, Literal

from threadpoolctl import threadpool_limits

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline.cage2.compliance import Compromised, Verdicts
from pipeline.cage2.cyborg_env import CyborgEnv
from pipeline.collect.episode import play_episode
from pipeline.collect.record import ERROR_TEXT_BYTES, HEADER, record_layout
from pipeline.collect.rollout import EnginePlayer
from pipeline.policy.forward import Actor
from pipeline.policy.params import ACTOR
from pipeline.workflows.orders import ORDERS, one_hot

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cage2.engine.game_batch import Profile

MAX_CACHED_ACTORS = 3
"""Policies kept ready: versions of one workflow overlap by the policy lag, workflows at their seams."""


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """All that a worker is told at its start; small, and the only thing besides slot indices that is ever pickled."""

    ring_name: str
    board_name: str
    num_slots: int
    num_slabs: int
    num_steps: int
    red_agent: str
    engine: Literal["fast", "cyborg"]
    profile: Profile
    cyborg: Literal["csle", "upstream"]
    compromised: Compromised
    debug: bool

    def player(self) -> Callable[..., None]:
        """Return what plays an episode: called as `EnginePlayer.play` is."""
        if self.engine == "fast":
            return EnginePlayer(self.red_agent, self.profile, self.num_steps).play
        return partial(play_episode, CyborgEnv(self.red_agent, self.cyborg))


class Worker:
    """What a worker process holds between episodes."""

    def __init__(self, spec: WorkerSpec) -> None:
        """Attach to the run's shared memory and build the environment."""
        self._ring = EpisodeRing.attach(
            spec.ring_name, HEADER, record_layout(spec.num_steps), spec.num_slots, debug=spec.debug
        )
        self._board = WeightBoard.attach(spec.board_name, ACTOR.num_values, spec.num_slabs)
        self._play = spec.player()
        self._compromised = spec.compromised
        self._actors: OrderedDict[tuple[int, int], Actor] = OrderedDict()
        self._verdicts: dict[int, Verdicts] = {}

    def play(self, slot: int) -> None:
        """Play the episode that a slot's header asks for, and fill the slot."""
        header = self._ring.header(slot)
        header["worker_pid"][...] = os.getpid()
        header["started_s"][...] = time.monotonic()
        workflow_id = int(header["workflow_id"])
        self._play(
            self._actor(int(header["weight_version"]), workflow_id),
            self._verdicts_of(workflow_id),
            environment_seed=int(header["environment_seed"]),
            actions_seed=int(header["actions_seed"]),
            record=self._ring.record(slot),
        )
        header["finished_s"][...] = time.monotonic()
        self._ring.fill(slot)

    def fail(self, slot: int) -> None:
        """Write the traceback of the exception being handled to a slot's header."""
        write_failure(self._ring, slot, traceback.format_exc())

    def _actor(self, version: int, workflow_id: int) -> Actor:
        key = (version, workflow_id)
        actor = self._actors.get(key)
        if actor is None:
            actor = self._actors[key] = Actor(self._board.read(version), one_hot(workflow_id))
            if len(self._actors) > MAX_CACHED_ACTORS:
                self._actors.popitem(last=False)
        return actor

    def _verdicts_of(self, workflow_id: int) -> Verdicts:
        verdicts = self._verdicts.get(workflow_id)
        if verdicts is None:
            verdicts = self._verdicts[workflow_id] = Verdicts(ORDERS[workflow_id].tolist(), self._compromised)
        return verdicts


def write_failure(ring: EpisodeRing, slot: int, text: str) -> None:
    """Mark a slot's episode as failed, with the end of `text` as the reason."""
    header = ring.header(slot)
    header["error_text"][...] = text.encode(errors="replace")[-ERROR_TEXT_BYTES:]
    header["failed"][...] = 1


def read_failure(ring: EpisodeRing, slot: int) -> str | None:
    """Return why a slot's episode failed, or None if it didn't."""
    header = ring.header(slot)
    if not header["failed"]:
        return None
    return bytes(header["error_text"].item()).decode(errors="replace")


_worker: Worker | None = None
_start_failure: str = "the worker was not initialized"
_spec: WorkerSpec | None = None


def initialize(spec: WorkerSpec) -> None:
    """Make this process a worker (the executor's initializer).

    A failure to start must not break the pool, which would hide its reason: it is kept, and told by the first slot.
    """
    global _worker, _start_failure, _spec  # a process is one worker; the executor offers no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    threadpool_limits(1)  # where preloading came too late to set the environment
    threading.Thread(target=_die_with_parent, name="cage2-parent-watch", daemon=True).start()
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
        try:
            _worker.play(slot)
        except Exception:  # noqa: BLE001  # told by the slot's header
            _worker.fail(slot)


def ready() -> int:
    """Return this worker's process id: proof that a worker has started."""
    return os.getpid()


def _report_start_failure(slots: tuple[int, ...]) -> None:
    if _spec is None:
        raise RuntimeError(_start_failure)
    ring = EpisodeRing.attach(_spec.ring_name, HEADER, record_layout(_spec.num_steps), _spec.num_slots)
    try:
        for slot in slots:
            write_failure(ring, slot, _start_failure)
    finally:
        ring.close()


def _die_with_parent() -> None:
    """End this process when the parent is gone, killed even: nobody else would."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
