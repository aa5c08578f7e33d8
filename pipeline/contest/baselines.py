"""The contest's own baselines, as its organisers ran them for the leaderboard.

With the contest's protocol, seed 153 and profile `leaderboard` each gives its row of the leaderboard, digit by digit.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts import spec
from pipeline.contest.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt


class SleepingAgent:
    """Leaves the network to Red."""

    def begin(self, num_steps: int) -> None:
        """Begin an episode."""

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        """Return what Blue does next: nothing."""
        return spec.SLEEP

    def end(self) -> None:
        """End it."""


class RandomAgent(SleepingAgent):
    """Takes each of the 145 actions alike, drawn from Python's `random`, from which the game draws, too."""

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        """Return what Blue does next: anything."""
        return random.randrange(spec.NUM_ACTIONS)  # noqa: S311 - a game's


class ReactingAgent(SleepingAgent):
    """Monitors, and then restores, or cleans, each host on which it has seen a process: `BlueReact...Agent` of CybORG.

    It looks at hosts in CybORG's raw observation, but for User0, after Monitor only. The script takes the rewards of
    each step and goes on showing the observation of the *reset*, in which each host has a process: Blue's own. So the
    agent that the leaderboard shows goes round all twelve hosts, one after the other, whatever Red does, and never
    learns what Red did.

    Args:
        action: `spec.RESTORE` or `spec.REMOVE`, on the first host.
    """

    def __init__(self, action: int) -> None:
        hosts = (host for host in range(spec.NUM_HOSTS) if host != spec.RED_FOOTHOLD_INDEX)
        self._round = (spec.MONITOR, *(action + host for host in hosts))
        self._num_played = 0

    def begin(self, num_steps: int) -> None:
        """Begin an episode."""
        self._num_played = 0

    def act(self, observation: npt.NDArray[np.int64], view: Any) -> int:
        """Return what Blue does next, whatever is observed."""
        action = self._round[self._num_played % len(self._round)]
        self._num_played += 1
        return action


CONTEST_BASELINES: dict[str, Callable[[], Entry]] = {
    "BlueReactRestore": lambda: Entry(ReactingAgent(spec.RESTORE), draws=False, num_resets=2),
    "BlueReactRemove": lambda: Entry(ReactingAgent(spec.REMOVE), draws=False, num_resets=2),
    "Sleep": lambda: Entry(SleepingAgent(), draws=False),
    "Random": lambda: Entry(RandomAgent()),
}
"""By the names that the command line has for them."""
