"""A game whose steps sleep, with a set mean and a set spread. It needs no core, so 2 cores can have 100 workers.

Times of steps in units of their mean, which is exactly what was asked for; each is drawn on its own, from the
episode's seed, and so the same whoever plays the episode:

| spread | distribution | std. deviation | 10 % | median | 90 % | 99 % | 99.9 % | longest of 10 | of 100, on average |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| none | constant | 0 | 1 | 1 | 1 | 1 | 1 | 1 | 1 |
| mild | log-normal, sigma 0.25 | 0.25 | 0.70 | 0.97 | 1.34 | 1.73 | 2.10 | 1.44 | 1.82 |
| heavy | log-normal, sigma 1 | 1.31 | 0.17 | 0.61 | 2.18 | 6.21 | 13.3 | 3.42 | 8.24 |

`heavy` is no exaggeration: CybORG's own steps have a standard deviation of 1.5 times their mean.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.facts.names import Compromised
from pipeline.cage2.facts.spec import OBSERVATION_SIZE
from pipeline.play.episode import play_episode
from pipeline.play.game import GameSpec
from pipeline.play.rollout import warm_up

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.cage2.env import Cage2Env
    from pipeline.play.game import PlayEpisode

Spread = Literal["none", "mild", "heavy"]
SIGMA: dict[Spread, float] = {"none": 0.0, "mild": 0.25, "heavy": 1.0}
"""Standard deviation of the logarithm of a step's time."""
NUM_OBSERVATIONS = 8
"""Distinct ones: few, so that the policy costs next to nothing."""


@dataclass(frozen=True, kw_only=True)
class SyntheticGame(GameSpec):
    """The game by name; what `GameSpec` knows of engines and agents is not looked at."""

    step_ms: float
    spread: Spread

    def prepare(self) -> None:
        """Compile the policy."""
        warm_up()

    def env(self) -> Cage2Env:
        """Build the environment."""
        return SyntheticEnv(self.num_steps, self.step_ms, self.spread)

    def play_episode(self) -> PlayEpisode:
        """Build the environment; return what plays whole episodes in it."""
        return partial(play_episode, self.env(), Memory(self.interface))


class SyntheticEnv:
    """Sleeps, and shows observations that are all different in a row and few in all."""

    def __init__(self, num_steps: int, step_ms: float, spread: Spread) -> None:
        """Args: num_steps: per episode. step_ms: mean time of a step, milliseconds. spread: of these times."""
        self._num_steps = num_steps
        self._step_ms = step_ms
        self._spread: Spread = spread
        bits = np.random.default_rng(0).integers(0, 2, (1 + NUM_OBSERVATIONS, OBSERVATION_SIZE), np.int8)
        bits[0] = 0
        self._observations: list[npt.NDArray[np.int8]] = list(bits)
        self._step_s: list[float] = []
        self._t = self._shift = 0

    def reset(self, seed: int) -> npt.NDArray[np.int8]:
        """Draw the times of the episode's steps; return `[52]` zeros."""
        self._step_s = step_seconds(seed, self._num_steps, self._step_ms, self._spread).tolist()
        self._t, self._shift = 0, seed % NUM_OBSERVATIONS
        return self._observations[0]

    def step(self, action: int) -> tuple[npt.NDArray[np.int8], int]:
        """Sleep; return `[52]` int8 in {0, 1} and a reward in tenths."""
        time.sleep(self._step_s[self._t])
        self._t += 1
        return self._observations[1 + (self._t + self._shift) % NUM_OBSERVATIONS], -(action % 3)

    def red_hosts(self) -> int:
        """Return a host, another one after each step, as a bit."""
        return 1 << self._t % 13


def step_seconds(seed: int, num_steps: int, step_ms: float, spread: Spread) -> npt.NDArray[np.float64]:
    """Return what an episode's steps take.

    Args:
        seed: The episode's environment seed.
        num_steps: `T`.
        step_ms: Mean, milliseconds.
        spread: Which distribution.

    Returns:
        `[T]` float64, seconds. `exp(N(-sigma^2 / 2, sigma))` has a mean of 1.
    """
    sigma = SIGMA[spread]
    logarithms = np.random.default_rng(seed).normal(-sigma * sigma / 2, sigma, num_steps)
    return step_ms * 1e-3 * np.exp(logarithms)  # [T], seconds


def synthetic_game(num_steps: int, step_ms: float, spread: Spread) -> SyntheticGame:
    """Return the game, whatever is not looked at filled in."""
    return SyntheticGame(
        "SleepAgent",
        "cyborg",
        "head",
        "csle",
        Compromised.FIXABLE,
        num_steps,
        Interface(),
        step_ms=step_ms,
        spread=spread,
    )
