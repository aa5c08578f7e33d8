"""One environment, in this process, one episode after the other: the reference, and the method to debug with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.numerics.subnormals import subnormals_flushed
from pipeline.play.player import Player

if TYPE_CHECKING:
    from native_buffers.ring import EpisodeRing
    from native_buffers.weights import WeightBoard
    from pipeline.play.game import GameSpec


class SequentialCollector:
    """Plays on the event loop's own thread, which waits for each episode: a debugger stops everything at once.

    A thread of its own would be no better: CybORG draws from the process's global generator, which no other thread
    must see while it is lent.
    """

    max_tasks = 1
    num_rebuilds = 0

    def __init__(self, game: GameSpec, ring: EpisodeRing, board: WeightBoard) -> None:
        """Args: game: what is played. ring, board: this process's own."""
        self._game = game
        self._ring = ring
        self._board = board
        self._player: Player | None = None

    @property
    def num_alive(self) -> int:
        """One, once it is ready."""
        return int(self._player is not None)

    async def start(self) -> None:
        """Compile and import what is slow off the loop, then build the environment."""
        await asyncio.to_thread(self._game.prepare)
        self._player = Player(self._game, self._board.read)

    async def play(self, slots: tuple[int, ...]) -> None:
        """Play leased slots; other coroutines have their turn between two episodes."""
        assert self._player is not None, "started"  # noqa: S101
        for slot in slots:
            with subnormals_flushed():
                self._player.play_slot(self._ring, slot)
            await asyncio.sleep(0)

    async def kill(self, slots: tuple[int, ...]) -> bool:
        """Do nothing: an episode that hangs holds up who would ask for it."""
        return False

    async def close(self) -> None:
        """Let go of the environment."""
        self._player = None
