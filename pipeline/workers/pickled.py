"""A worker process of the executor that shares no memory: weights and headers come pickled, slots go back pickled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.play.parcel import ParcelPlayer
from pipeline.workers.birth import become_worker
from pipeline.workers.start import NOT_INITIALIZED, StartFailure, build_or_keep_why

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.play.game import GameSpec

_player: ParcelPlayer | StartFailure = NOT_INITIALIZED


def initialize(game: GameSpec, debug: bool, faults_path: str | None) -> None:
    """Make this process a worker (the executor's initializer). A failure to start is kept for the first task."""
    global _player  # a process is one worker; the executor offers no other place
    become_worker(faults_path)
    _player = build_or_keep_why(lambda: ParcelPlayer(game, debug=debug))


def play(weights: npt.NDArray[np.float32], headers: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | str:
    """Play a parcel; see `ParcelPlayer.play`. If this worker could not start, return why."""
    return _player.reason if isinstance(_player, StartFailure) else _player.play(weights, headers)
