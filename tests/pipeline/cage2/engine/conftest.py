"""A game in which one thing can be tried at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine import red
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.state import ATTRIBUTE, DECOYS, PID_MASK, SESSIONS
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from collections.abc import Callable


class Play:
    """A `FastEnv` with its inside at hand: `game` is the record, `blue` and `red` act by name."""

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

    def red(self, action: str, target: str, *, blue: str = "Sleep") -> int:
        """Let Red take an action on a host or subnet, after Blue's; return the reward in tenths."""
        names = [subnet.name for subnet in spec.SUBNETS] if action == "DiscoverRemoteSystems" else spec.HOST_NAMES
        red_action = red.ACTIONS.index(action), names.index(target)
        self.env.batch.step(spec.ACTION_NAMES.index(blue), [red_action])
        return int(self.env.batch.rewards[0])

    def last(self) -> tuple[str, int]:
        """Return Red's last action and its target."""
        return red.ACTIONS[self.game["red_action"]], int(self.game["red_target"])

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
