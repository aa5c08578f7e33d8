"""The game as CybORG itself shows it: dictionaries of what Blue was told, and action objects; no wrapper around it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from pipeline.cage2.cyborg.env import EpisodeNotStartedError, blue_actions, load_cyborg
from pipeline.cage2.cyborg.generator import generator_kept

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import Package

_TENTHS = 10


class RawCyborgEnv:
    """One game of CAGE-2 on CybORG, unwrapped. After the same seed and actions it is the same game as `CyborgEnv`'s.

    Args:
        red_agent: One of `spec.RED_AGENTS`.
        package: Which CybORG.

    Raises:
        NotInstalledError: The package is not there.

    Attributes:
        actions: CybORG's objects of Blue's actions, by their ids.
        action_space: CybORG's dictionary of what Blue knows of that it could act on; made anew with each step.
    """

    def __init__(self, red_agent: str, package: Package = "csle") -> None:
        cyborg = load_cyborg(package)
        with generator_kept():
            self._main = cyborg.main(cyborg.scenario, "sim", agents={"Red": getattr(cyborg.agents, red_agent)})
        self.actions = blue_actions(cyborg.actions)
        self.action_space: dict[str, Any] = {}
        self._generator: tuple[Any, ...] | None = None

    def reset(self, seed: int) -> dict[str, Any]:
        """Start an episode, and return what Blue is told before it."""
        with generator_kept():
            random.seed(seed)
            result = self._main.reset("Blue")
            self._generator = random.getstate()
        self.action_space = result.action_space
        return result.observation  # type: ignore[no-any-return]  # CybORG has no types

    def step(self, action: Any) -> tuple[dict[str, Any], int]:
        """Play Blue's action, one of CybORG's objects, then Red's.

        Returns:
            `(observation, reward)`: what Blue was told, and its reward in tenths of a point.

        Raises:
            EpisodeNotStartedError: There has been no `reset`.
        """
        if self._generator is None:
            raise EpisodeNotStartedError
        with generator_kept():
            random.setstate(self._generator)
            self._generator = None  # should it fail, the game stands in the middle of a step
            result = self._main.step("Blue", action)
            self._generator = random.getstate()
        self.action_space = result.action_space
        return result.observation, round(result.reward * _TENTHS)
