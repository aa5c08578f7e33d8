"""A game in which one thing can be tried at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine.agents import LAST_PLACE
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.state import ATTRIBUTE, DECOYS, PID_MASK, SESSIONS
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable

USER3 = spec.HOST_NAMES.index("User3")


class Play:
    """A `FastEnv` with its inside at hand: `game` is the record, `blue` acts by name, `red` moves B_line to a place."""

    def __init__(self, red_agent: str = "SleepAgent", seed: int = 0, **options: Any) -> None:
        self.env = FastEnv(red_agent, **options)
        self.env.reset(seed)
        self.game = self.env.batch.games[0]
        self.lists = self.env.batch.lists[0]

    def blue(self, action: str) -> int:
        """Take an action, Red following; return the reward in tenths."""
        return self.env.step(spec.ACTION_NAMES.index(action))[1]

    def table(self, host: str) -> list[int]:
        """Return the four entries of a host as the last step showed them."""
        start = spec.BITS_PER_HOST * spec.HOST_NAMES.index(host)
        return self.env.batch.observations[0, start : start + spec.BITS_PER_HOST].tolist()

    def red(self, place: int, *, user: int = USER3, blue: str = "Sleep") -> int:
        """Let B_line execute a place of its script, whatever came before; return the reward in tenths."""
        self.game["script_user"] = user
        self.game["script_seen"] = (2 << LAST_PLACE) - 1
        self.game["script_index"] = max(place - 1, 0)
        self.game["red_success"] = int(place > 0)
        return self.blue(blue)

    def sessions(self, host: str) -> list[tuple[int, bool]]:
        """Return process id and privilege of Red's sessions on a host."""
        return [(e & PID_MASK, e >= ATTRIBUTE) for e in self._list(SESSIONS, "num_sessions", host)]

    def decoys(self, host: str) -> list[tuple[int, str]]:
        """Return process id and name of the decoys on a host."""
        entries = self._list(DECOYS, "num_decoys", host)
        return [(e & PID_MASK, spec.DECOYS[e // ATTRIBUTE].name) for e in entries]

    def _list(self, which: int, length: str, host: str) -> list[int]:
        index = spec.HOST_NAMES.index(host)
        return self.lists[which, index, : self.game[length][index]].tolist()


@pytest.fixture
def play() -> Callable[..., Play]:
    return Play
