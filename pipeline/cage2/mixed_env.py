"""Several Red agents in one training: which of them attacks follows from the episode's seed.

A defender that is to stand against any of CAGE-2's Red agents, without being told which, is trained so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from pipeline.cage2.env import Cage2Env
    from pipeline.cage2.facts.names import RedAgent

Mixed = Literal["Mixed"]
MIXED: Final[Mixed] = "Mixed"
"""In the place of a Red agent's name: one of `MIXED_AGENTS`."""
MIXED_AGENTS: Final[tuple[RedAgent, ...]] = ("B_lineAgent", "RedMeanderAgent")


def mixed_index(environment_seed: int) -> int:
    """Return which of `MIXED_AGENTS` attacks in the episode of a seed; half of all seeds have each."""
    return environment_seed % len(MIXED_AGENTS)


class MixedEnv:
    """A `Cage2Env` for each of `MIXED_AGENTS`, of which the seed chooses one at each reset.

    Args:
        envs: In the order of `MIXED_AGENTS`.
    """

    def __init__(self, envs: Sequence[Cage2Env]) -> None:
        self._envs = envs
        self._env = envs[0]

    def reset(self, seed: int) -> npt.NDArray[np.int8]:
        """Start an episode against the agent of its seed; see `Cage2Env.reset`."""
        self._env = self._envs[mixed_index(seed)]
        return self._env.reset(seed)

    def step(self, action: int) -> tuple[npt.NDArray[np.int8], int]:
        """See `Cage2Env.step`."""
        return self._env.step(action)

    def red_hosts(self) -> int:
        """See `Cage2Env.red_hosts`."""
        return self._env.red_hosts()
