"""Several Red agents in one training: which of them attacks follows from the episode's seed.

A defender that is to stand against any of them, without being told which, is trained so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from pipeline.cage2.attackers.reference import is_reference
from pipeline.cage2.facts.names import UnknownRedAgentError
from pipeline.cage2.facts.spec import RED_AGENTS

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


def red_agents_of(red_agent: str) -> tuple[str, ...]:
    """Return who may attack where a configuration names a Red agent: one, several with commas between, or `MIXED`.

    Returns:
        Each one of `spec.RED_AGENTS` or one's own (`attackers.reference`), which need not exist.

    Raises:
        UnknownRedAgentError: A name is neither, or stands twice.
    """
    if red_agent == MIXED:
        return MIXED_AGENTS
    names = tuple(name.strip() for name in red_agent.split(","))
    for place, name in enumerate(names):
        if not (name in RED_AGENTS or is_reference(name)) or name in names[:place]:
            raise UnknownRedAgentError(name, (*RED_AGENTS, MIXED))
    return names


def mixed_index(environment_seed: int, num_agents: int = len(MIXED_AGENTS)) -> int:
    """Return which of several agents attacks in the episode of a seed; each has an equal share of all seeds."""
    return environment_seed % num_agents


class MixedEnv:
    """A `Cage2Env` for each of several Red agents, of which the seed chooses one at each reset.

    Args:
        envs: One for each of `red_agents_of`, in that order.
    """

    def __init__(self, envs: Sequence[Cage2Env]) -> None:
        self._envs = envs
        self._env = envs[0]

    def reset(self, seed: int) -> npt.NDArray[np.int8]:
        """Start an episode against the agent of its seed; see `Cage2Env.reset`."""
        self._env = self._envs[mixed_index(seed, len(self._envs))]
        return self._env.reset(seed)

    def step(self, action: int) -> tuple[npt.NDArray[np.int8], int]:
        """See `Cage2Env.step`."""
        return self._env.step(action)

    def red_hosts(self) -> int:
        """See `Cage2Env.red_hosts`."""
        return self._env.red_hosts()
