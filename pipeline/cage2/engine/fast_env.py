"""The game as the engine plays it, one episode at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.cage2.facts.names import Observation, Profile


class FastEnv:
    """One game of CAGE-2: a `Cage2Env`, the same to the bit as CybORG's (`cyborg_env.CyborgEnv`).

    Args:
        red_agent: One of `spec.RED_AGENTS`.
        profile: Which state of the game is played.
        observation: How Blue is shown it.

    Raises:
        ValueError: An argument is none of those.
    """

    def __init__(self, red_agent: str, profile: Profile = "head", observation: Observation = "stock") -> None:
        self.batch = GameBatch(1, red_agent, profile, observation)

    def reset(self, seed: int | None, *, is_new: bool = False) -> npt.NDArray[np.int8]:
        """Start an episode; see `Cage2Env.reset`.

        Args:
            seed: Any int; None lets the generator go on, as a further reset without seeding does.
            is_new: Whether CybORG is built and wrapped between seeding and reset.
        """
        self.batch.reset([seed], is_new=is_new)
        return np.zeros(spec.OBSERVATION_SIZE, dtype=np.int8)

    def step(self, action: int) -> tuple[npt.NDArray[np.int8], int]:
        """Play Blue's action, then Red's; see `Cage2Env.step`.

        Raises:
            ValueError: `action` is none of the 145.
            RuntimeError: There has been no `reset`.
        """
        batch = self.batch
        batch.step(action)
        return np.copy(batch.observations[0]), int(batch.rewards[0])

    @property
    def generator(self) -> tuple[int, tuple[int, ...], object]:
        """Where the game's generator stands, as `random.getstate()` has it; it may be set to such a state."""
        return self.batch.generator_state(0)

    @generator.setter
    def generator(self, state: tuple[int, tuple[int, ...], object]) -> None:
        self.batch.set_generator_state(0, state)

    def red_hosts(self) -> int:
        """Return the hosts on which Red holds a session; see `Cage2Env.red_hosts`."""
        return int(self.batch.red_hosts[0])
