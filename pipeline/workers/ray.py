"""What runs in a Ray actor, on any machine of the cluster: one environment, playing parcels until it is killed."""

from __future__ import annotations

import os
import signal
import socket
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from pipeline.numerics.subnormals import subnormals_flushed
from pipeline.play.fingerprint import Fingerprint, take_fingerprint
from pipeline.play.parcel import ParcelPlayer
from pipeline.workers.start import StartFailure, build_or_keep_why

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.play.game import GameSpec

WATCH = "watch"
"""An actor's second thread, for the call that lasts as long as the actor."""
MAX_PIECE_BYTES = 64 * 2**10
"""Well below the 100 kB from which on Ray puts an argument into its object store."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an actor says of itself before it is given anything to play."""

    pid: int
    host: str
    """Name of its machine."""
    fingerprint: Fingerprint


class RayPlayer:
    """An actor's class; see `parcel.ParcelPlayer`."""

    def __init__(self, game: GameSpec, debug: bool) -> None:
        """Build the environment. A failure is kept for the first task, whose slots tell it."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
        self._game = game
        self._player = build_or_keep_why(partial(_build, game, debug=debug))
        threadpool_limits(1)  # of all libraries that are loaded by now: an actor is one core's worth

    def introduce(self) -> Introduction:
        """Return who this is, and what its bits come from."""
        return Introduction(os.getpid(), socket.gethostname(), take_fingerprint(self._game))

    def ping(self) -> None:
        """Answer, as one can that is alive."""

    def watch(self) -> None:
        """Return never: the call fails when this actor dies. To be called in the group `WATCH`, beside `play`."""
        threading.Event().wait()

    def play(self, weights: npt.NDArray[np.float32], *headers: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8] | str:
        """Play a parcel; see `ParcelPlayer.play`. If this actor could not start, return why.

        Args:
            weights: `[shape.actor.num_values]` float32.
            headers: From `in_pieces`.
        """
        if isinstance(self._player, StartFailure):
            return self._player.reason
        with subnormals_flushed():  # the thread is Ray's
            return self._player.play(weights, np.concatenate(headers))


def _build(game: GameSpec, *, debug: bool) -> ParcelPlayer:
    game.prepare()
    return ParcelPlayer(game, debug=debug)


def in_pieces(headers: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """Return headers in pieces that Ray sends with a call: a larger one it would put into its object store, and wait.

    Args:
        headers: `[num_episodes, header_bytes]` uint8.

    Returns:
        Pieces of at most `MAX_PIECE_BYTES`, at least one.
    """
    return np.array_split(headers, max(1, -(-headers.nbytes // MAX_PIECE_BYTES)))
