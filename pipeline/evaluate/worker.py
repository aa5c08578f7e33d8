"""A worker process of an evaluation: tasks come pickled, episodes go back so; its header tells what is being played."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from pipeline.evaluate.headers import Headers
from pipeline.evaluate.play import play
from pipeline.workers.birth import become_worker

if TYPE_CHECKING:
    from pipeline.evaluate.play import Episodes, Task

_headers: Headers | None = None
_start_failure: str = "the worker was not initialized"


def initialize(name: str, num_slots: int) -> None:
    """Make this process a worker (the pool's initializer). A failure to start is kept for the first task."""
    global _headers, _start_failure  # a process is one worker; the pool offers no other place
    become_worker()
    try:
        _headers = Headers.attach(name, num_slots)
    except Exception:  # noqa: BLE001  # told by `play_in_slot`
        _start_failure = traceback.format_exc()


def play_in_slot(slot: int, task: Task) -> Episodes:
    """Play a task, and tell by a slot's header how it is getting on.

    Raises:
        EpisodeFailedError: If an episode can't be played.
        RuntimeError: If this worker could not start.
    """
    if _headers is None:
        raise RuntimeError(_start_failure)
    return play(task, _headers[slot])
