"""A worker process of an evaluation: tasks come pickled, episodes go back so; its header tells what is being played."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from pipeline.evaluate.failure import MAKING
from pipeline.evaluate.headers import Headers
from pipeline.evaluate.play import play
from pipeline.workers.birth import become_worker
from pipeline.workers.start import NOT_INITIALIZED, StartFailure, build_or_keep_why

if TYPE_CHECKING:
    from native_buffers.layout import Array
    from pipeline.defenders.reference import AgentReference
    from pipeline.evaluate.task import Episodes, Task
    from pipeline.play.game import GameSpec

_headers: Headers | StartFailure = NOT_INITIALIZED


def initialize(name: str, num_slots: int, faults_path: str) -> None:
    """Make this process a worker (the pool's initializer). A failure to start is kept for the first task.

    Args:
        name: The headers'.
        num_slots: How many there are.
        faults_path: See `become_worker`.
    """
    global _headers  # a process is one worker; the pool offers no other place
    become_worker(faults_path)
    os.dup2(2, 1)  # an agent may print what it likes: stdout is for results
    sys.stdout = sys.stderr
    sys.dont_write_bytecode = True  # nothing is left beside an agent's file
    _headers = build_or_keep_why(lambda: Headers.attach(name, num_slots))


def play_in_slot(slot: int, task: Task) -> Episodes:
    """Play a task, and tell by a slot's header how it is getting on.

    Raises:
        EpisodeFailedError: If an episode can't be played.
        DefenderFailedError: If an agent that others wrote raised, or returned no action.
        RuntimeError: If this worker could not start.
    """
    return play(task, _header(slot))


def make_in_slot(slot: int, agent: AgentReference, game: GameSpec, seed: int) -> str:
    """Make an agent that others wrote, to see whether it can be made, and return its form; see `defend.make`."""
    from pipeline.evaluate.defend import make  # with gymnasium, which the others have no use for

    header = _header(slot)
    header["step"][...], header["started_s"][...] = MAKING, time.monotonic()
    header["worker_pid"][...] = os.getpid()
    ready, _ = make(agent, game, seed)
    return ready.form


def _header(slot: int) -> dict[str, Array]:
    if isinstance(_headers, StartFailure):
        raise RuntimeError(_headers.reason)
    return _headers[slot]
