"""A game of an environment that was saved: the engine's, and what an environment has besides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pipeline.cage2.engine.game_state import GameState, StateError, require_layout
from pipeline.cage2.gym.blue_side import MEMORY_LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.cage2.engine.game_batch import GameBatch
    from pipeline.cage2.gym.attackers import Attackers
    from pipeline.cage2.gym.blue_side import BlueSide, Indices
    from pipeline.cage2.show.fast_view import Origin, Origins


@dataclass(frozen=True, slots=True)
class EnvState:
    """One game of an environment, in the middle of an episode.

    It may be set in any environment, single or vector, that was made with the same options, or with its Red agent for
    `Mixed` and the other way round. Two are equal if they go on in the same way whatever Blue does.
    """

    game: GameState
    origin: Origin = field(repr=False)
    """Where the episode came from, which only `view()` asks for."""
    memory: bytes = field(repr=False)
    """What Blue remembers, and sees by it; empty where the engine's table is all that it sees."""
    layout: str = MEMORY_LAYOUT
    """Of the memory, in the version that saved it."""


class Parts(NamedTuple):
    """What the games of an environment consist of."""

    batch: GameBatch
    attackers: Attackers
    origins: Origins
    blue: BlueSide | None

    def states(self, indices: Indices) -> list[EnvState]:
        """Return `[n]` games as they stand."""
        memories = [b""] * len(indices) if self.blue is None else self.blue.save(indices)
        origins = [self.origins.origin(index) for index in indices.tolist()]
        games = self.batch.states(indices)
        return [EnvState(*parts) for parts in zip(games, origins, memories, strict=True)]

    def set_states(self, states: Sequence[EnvState], indices: Indices) -> None:
        """Let `[n]` games go on from states.

        Raises:
            StateError: One can't be played on here; all games are as they were.
            ValueError: There is not one state for each game.
        """
        for state in states:
            if not isinstance(state, EnvState):
                raise StateError(
                    f"not a state of an environment but {type(state).__name__}: give what state() returned"
                )
            require_layout("memory", state.layout, MEMORY_LAYOUT)
        memories, origins = [state.memory for state in states], [state.origin for state in states]
        if self.blue is None and any(memories):
            raise StateError("a state with a memory or merged actions: make the environment with the same options")
        loaded = None if self.blue is None else self.blue.read(memories)
        self.origins.check(origins)
        self.batch.set_states([state.game for state in states], indices, self.attackers.names)
        self.attackers.resume(indices.tolist(), self.batch.red_agents(indices))
        self.origins.resume(origins, indices)
        if self.blue is not None and loaded is not None:
            self.blue.resume(loaded, indices)
