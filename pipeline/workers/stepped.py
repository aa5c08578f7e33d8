"""The process's end of a stepped environment: see `synchronous.py`."""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from typing import TYPE_CHECKING

from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.facts.compliance import Verdicts
from pipeline.cage2.facts.orders import ORDERS
from pipeline.play.episode import play_stepwise
from pipeline.play.record import failure_told, write_failure
from pipeline.workers.birth import become_worker
from pipeline.workers.start import StartFailure, build_or_keep_why

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from pipeline.cage2.env import Cage2Env
    from pipeline.workers.shared import WorkerSpec

IDLE, ACTING, GO = b"i", b"a", b"g"
"""An environment process has no episode; it waits for its slot's next action; the action is written."""


def serve(spec: WorkerSpec, pipe: Connection) -> None:
    """Be an environment process, until the parent's end of the pipe is closed."""
    become_worker(spec.faults_path)
    environment = SteppedEnvironment(spec, pipe)
    while True:
        environment.play(int.from_bytes(_ask(pipe, IDLE), "little"))


class SteppedEnvironment:
    """What an environment process holds between episodes."""

    def __init__(self, spec: WorkerSpec, pipe: Connection) -> None:
        """Attach to the run's ring and build the environment. If that fails, each slot is told why."""
        self._pipe = pipe
        self._ring = spec.attach_ring()
        self._env: Cage2Env | StartFailure = build_or_keep_why(spec.game.env)
        self._memory = Memory(spec.game.interface)
        self._verdicts = cache(lambda workflow_id: Verdicts(ORDERS[workflow_id].tolist(), spec.game.compromised))

    def play(self, slot: int) -> None:
        """Play the episode that a slot's header asks for, and fill the slot; if it fails, the header says why."""
        header = self._ring.header(slot)
        header["worker_pid"][...] = os.getpid()
        if isinstance(self._env, StartFailure):
            write_failure(header, self._env.reason)
            return
        started_s = time.monotonic()
        header["started_s"][...] = started_s
        waited_s = 0.0
        with failure_told(header):
            for _ in play_stepwise(
                self._env,
                self._memory,
                self._verdicts(int(header["workflow_id"])),
                environment_seed=int(header["environment_seed"]),
                record=self._ring.record(slot),
            ):
                asked_s = time.monotonic()
                _ask(self._pipe, ACTING)
                waited_s += time.monotonic() - asked_s
            finished_s = time.monotonic()
            header["finished_s"][...] = finished_s
            header["busy_s"][...] = finished_s - started_s - waited_s
            self._ring.fill(slot)


def _ask(pipe: Connection, message: bytes) -> bytes:
    try:
        pipe.send_bytes(message)
        return pipe.recv_bytes()
    except (EOFError, ConnectionError):
        sys.exit()  # the parent is gone
