"""Which Red agent attacks in each of `B` games, episode by episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.mixed_env import mixed_index, red_agents_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class Attackers:
    """Names the Red agent of each episode.

    Where there are several, that follows from the episode's seed as it does in training; an episode without a seed has
    the agent after that of the game's last one.

    Args:
        red_agent: Who attacks, as `mixed_env.red_agents_of` takes it.
        num_games: `B`.

    Raises:
        UnknownRedAgentError: It is none of those.

    Attributes:
        names: All that may attack.
    """

    def __init__(self, red_agent: str, num_games: int) -> None:
        self.names = red_agents_of(red_agent)
        self._last = [-1] * num_games

    def next(self, indices: Sequence[int], seeds: Sequence[int | None]) -> list[str]:
        """Return who attacks in new episodes.

        Args:
            indices: `[n]`, which games.
            seeds: `[n]`, their seeds, of either sign; None where the generator goes on.
        """
        for index, seed in zip(indices, seeds, strict=True):
            chosen = self._last[index] + 1 if seed is None else mixed_index(abs(seed), len(self.names))
            self._last[index] = chosen % len(self.names)
        return [self.names[self._last[index]] for index in indices]

    def resume(self, indices: Sequence[int], red_agents: Sequence[str]) -> None:
        """Note who attacks in `[n]` games that go on from elsewhere, each one of `names`."""
        for index, red_agent in zip(indices, red_agents, strict=True):
            self._last[index] = self.names.index(red_agent)
