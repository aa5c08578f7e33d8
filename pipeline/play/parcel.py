"""Episodes that travel as bytes, where no memory is shared: headers out, whole slots back.

```
 parent                               worker, in a process of this machine or another
 pack(slots)   ==== headers =======>  ParcelPlayer.play(weights, headers), in ordinary memory
 unpack(slots) <=== images =========  headers and records as a ring's slots have them
 FILLED slots
```
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from native_buffers.block import SlotBlock
from native_buffers.errors import UnwrittenFields
from pipeline.play.player import Player
from pipeline.play.record import HEADER, UNTOLD, failure_told, write_failures

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from native_buffers.ring import EpisodeRing
    from pipeline.play.game import GameSpec


class ParcelPlayer:
    """Plays parcels; keeps its environment and the policies in use from one to the next."""

    def __init__(self, game: GameSpec, *, debug: bool = False) -> None:
        """Args: game: what is played. debug: poison records, so that the parent finds what was not written."""
        self._record = game.record
        self._debug = debug
        self._weights: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self._player = Player(game, lambda _: self._weights)

    def play(self, weights: npt.NDArray[np.float32], headers: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Play the episodes that headers ask for.

        Args:
            weights: `[shape.actor.num_values]` float32, of the one version that all headers name.
            headers: `[num_episodes, header_bytes]` uint8, from `pack`.

        Returns:
            `[num_episodes, slot_bytes]` uint8, for `unpack`. How each episode went stands in its header.
        """
        self._weights = weights
        num_episodes, header_bytes = headers.shape
        images = np.zeros((num_episodes, SlotBlock.slot_bytes_of(HEADER, self._record)), np.uint8)
        images[:, :header_bytes] = headers
        block = SlotBlock.of_images(HEADER, self._record, images)
        for index in range(num_episodes):
            record = block.record(index)
            if self._debug:
                self._record.poison(record)
            self._player.play(block.header(index), record)
        return images


def pack(ring: EpisodeRing, slots: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return what leased slots ask for.

    Args:
        ring: This process's own. The slots' headers then have `UNTOLD` for a worker: it is known when they come back.
        slots: Leased ones of one weight version.

    Returns:
        `[num_episodes, header_bytes]` uint8.
    """
    headers = np.empty((len(slots), HEADER.size_bytes), np.uint8)
    for index, slot in enumerate(slots):
        header = ring.header(slot)
        header["worker_pid"][...] = UNTOLD
        header["started_s"][...] = time.monotonic()  # the worker's own time comes back with the slot
        headers[index] = ring.image(slot)[: HEADER.size_bytes]
    return headers


def unpack(ring: EpisodeRing, slots: Sequence[int], images: npt.NDArray[np.uint8] | str) -> None:
    """Copy what was played into its slots, and fill those that are complete.

    Args:
        ring: This process's own.
        slots: As they were packed.
        images: `[num_episodes, slot_bytes]` uint8; or why nothing was played, which all headers then say.
    """
    if isinstance(images, str):
        write_failures(ring, slots, images)
        return
    for slot, image in zip(slots, images, strict=True):
        ring.image(slot)[:] = image
        header = ring.header(slot)
        if not header["failed"]:
            with failure_told(header, UnwrittenFields):
                ring.fill(slot)
