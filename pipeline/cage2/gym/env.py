"""The game as a gymnasium environment: `gymnasium.make("Cage2-v0", ...)`."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import error, spaces

from pipeline.cage2.facts import spec
from pipeline.cage2.gym.games import CyborgGame, FastGame, Game, check_options, check_reset_options
from pipeline.cage2.show.render import FRAMES_PER_S, RENDER_MODES, RenderMode, render

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import Engine, Observation, Profile
    from pipeline.cage2.show.view import View

OBSERVATION_SPACE = spaces.Box(-1.0, 1.0, (spec.OBSERVATION_SIZE,), np.float32)
"""As CybORG's `ChallengeWrapper` declares it. It returns int64, though; here the observation has the declared dtype."""
ACTION_SPACE = spaces.Discrete(spec.NUM_ACTIONS)


class InvalidActionError(error.InvalidAction, ValueError):
    """An action is none of Blue's."""

    def __init__(self, action: object) -> None:
        super().__init__(f"action {action!r} is not one of Blue's: give an int from 0 to {spec.NUM_ACTIONS - 1}")


class Cage2GymEnv(gymnasium.Env[npt.NDArray[np.float32], np.int64]):
    """CAGE Challenge 2, Scenario 2, played as Blue.

    `reset(seed=s)` does what `random.seed(s)`, building CybORG, wrapping it in `ChallengeWrapper` and its `reset()` do,
    to the bit, and touches no generator but its own; `reset()` does what a further `reset()` of that object does.

    Observations are `[52]` float32 in {0, 1}, rewards floats in points, of one decimal. The game itself never ends:
    `terminated` is always False, and `truncated` is True from `max_steps` on. `info` has, after reset and step alike,

        red_hosts    [13] bool   hosts with a Red session, in the order of the observation; more than Blue knows
        action_mask  [145] int8  0 for decoys that can't be placed now (`pipeline.cage2.gym.shown`), 1 for all others

    Args:
        red_agent: One of `spec.RED_AGENTS`.
        engine: `fast`, or `cyborg` for CybORG itself.
        profile: `head`, the game as it is today, or `leaderboard`, as on the contest's final day.
        observation: `stock`, or `corrected`: a new decoy does not hide a scan of the same step.
        max_steps: Steps of an episode; None: without end, as in CybORG.
        render_mode: `ansi`: `render()` returns a str. `rgb_array`: a picture, `[height, width, 3]` uint8.

    Raises:
        UnknownRedAgentError: There is no such Red agent.
        OptionError: Another argument is none of those.
        CyborgNotInstalledError: CybORG is asked for and not there.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": FRAMES_PER_S}  # noqa: RUF012 - as gymnasium types it

    def __init__(
        self,
        red_agent: str = "B_lineAgent",
        engine: Engine = "fast",
        profile: Profile = "head",
        observation: Observation = "stock",
        max_steps: int | None = spec.EPISODE_STEPS,
        render_mode: RenderMode | None = None,
    ) -> None:
        check_options(red_agent, engine, profile, observation, max_steps, render_mode)
        self.observation_space = spaces.Box(-1.0, 1.0, (spec.OBSERVATION_SIZE,), np.float32)
        self.action_space = spaces.Discrete(spec.NUM_ACTIONS)
        self.render_mode = render_mode
        self._max_steps = float("inf") if max_steps is None else max_steps
        self._num_steps: int | None = None
        self._game: Game = (
            FastGame(red_agent, profile, observation) if engine == "fast" else CyborgGame(red_agent, observation)
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Start an episode.

        Args:
            seed: Any int; Python's generator ignores its sign. None lets the game's generator go on, which starts from
                the system's own randomness.
            options: There are none.

        Raises:
            OptionError: One is given.
        """
        check_reset_options(options)
        super().reset(seed=None if seed is None else abs(operator.index(seed)))
        self._game.reset(seed)
        self._num_steps = 0
        observations, red_hosts, masks = self._game.show()
        return observations[0], {"red_hosts": red_hosts[0], "action_mask": masks[0]}

    def step(self, action: int | np.integer[Any]) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play Blue's action, then Red's.

        Args:
            action: 0 to 144, an index of `spec.ACTION_NAMES`.

        Raises:
            InvalidActionError: It is not.
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        try:
            index = operator.index(action)
        except TypeError:
            raise InvalidActionError(action) from None
        if not 0 <= index < spec.NUM_ACTIONS:
            raise InvalidActionError(action)
        if self._num_steps is None:
            raise error.ResetNeeded("no episode has been started: call reset() first")
        reward = self._game.step(index)
        self._num_steps += 1
        observations, red_hosts, masks = self._game.show()
        info = {"red_hosts": red_hosts[0], "action_mask": masks[0]}
        return observations[0], reward / 10, False, self._num_steps >= self._max_steps, info

    def view(self) -> View:
        """Return all that there is to know of the game now; reached as `env.unwrapped.view()`.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        if self._num_steps is None:
            raise error.ResetNeeded("there is nothing to see yet: call reset() first")
        return self._game.view()

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Return `info["action_mask"]` as `[145]` bool, where sb3-contrib's `MaskablePPO` looks for it.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        if self._num_steps is None:
            raise error.ResetNeeded("there is nothing to mask yet: call reset() first")
        _, _, masks = self._game.show()
        mask: npt.NDArray[np.bool_] = masks[0].astype(np.bool_)
        return mask

    def render(self) -> str | npt.NDArray[np.uint8] | None:
        """Return the game as text or picture, by `render_mode`; None without one.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        return None if self.render_mode is None else render(self.view(), self.render_mode)
