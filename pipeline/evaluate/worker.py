"""A worker process of an evaluation: tasks come pickled, episodes go back so; its header tells what is being played."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.evaluate.headers import Headers
from pipeline.evaluate.play import play
from pipeline.workers.birth import become_worker
from pipeline.workers.start import NOT_INITIALIZED, StartFailure, build_or_keep_why

if TYPE_CHECKING:
    from pipeline.evaluate.play import Episodes, Task

_headers: Headers | StartFailure = NOT_INITIALIZED


def initialize(name: str, num_slots: int) -> None:
    """Make this process a worker (the pool's initializer). A failure to start is kept for the first task."""
    global _headers  # a process is one worker; the pool offers no other place
    become_worker()
    _headers = build_or_keep_why(lambda: Headers.attach(name, num_slots))


def play_in_slot(slot: int, task: Task) -> Episodes:
    """Play a task, and tell by a slot's header how it is getting on.

    Raises:
        EpisodeFailedError: If an episode can't be played.
        RuntimeError: If this worker could not start.
    """
    if isinstance(_headers, StartFailure):
        raise RuntimeError(_headers.reason)
    return play(task, _headers[slot])
