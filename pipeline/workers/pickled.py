"""A worker process of the executor that shares no memory: weights and headers come pickled, slots go back pickled."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from pipeline.play.parcel import ParcelPlayer
from pipeline.workers.birth import become_worker

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.play.game import GameSpec

_player: ParcelPlayer | None = None
_start_failure: str = "the worker was not initialized"


def initialize(game: GameSpec, debug: bool, faults_path: str | None) -> None:
    """Make this process a worker (the executor's initializer). A failure to start is kept for the first task."""
    global _player, _start_failure  # a process is one worker; the executor offers no other place
    become_worker(faults_path)
    try:
        _player = ParcelPlayer(game, debug=debug)
    except Exception:  # noqa: BLE001  # told by `play`
        _start_failure = traceback.format_exc()


def play(weights: npt.NDArray[np.float32], headers: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | str:
    """Play a parcel; see `ParcelPlayer.play`. If this worker could not start, return why."""
    return _start_failure if _player is None else _player.play(weights, headers)
