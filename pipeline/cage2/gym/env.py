"""The game as a gymnasium environment: `gymnasium.make("pipeline.cage2.gym:Cage2-v0", ...)`."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import error

from pipeline.cage2.facts import spec
from pipeline.cage2.gym.blue_side import BlueSide
from pipeline.cage2.gym.games import CyborgGame, FastGame, Game, Options, check_reset_options
from pipeline.cage2.gym.spaces import InvalidActionError, action_space, observation_space
from pipeline.cage2.gym.vector import Cage2VectorEnv
from pipeline.cage2.show.render import FRAMES_PER_S, RENDER_MODES, RenderMode, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.cage2.facts.names import Actions, Engine, Observation, Profile
    from pipeline.cage2.gym.env_state import EnvState
    from pipeline.cage2.show.view import View

_THE_GAME = np.zeros(1, dtype=np.int64)
"""Index of the one game of an environment."""


class Cage2GymEnv(gymnasium.Env[npt.NDArray[np.float32], np.int64]):
    """CAGE Challenge 2, Scenario 2, played as Blue.

    `reset(seed=s)` does what `random.seed(s)`, building CybORG, wrapping it in `ChallengeWrapper` and its `reset()` do,
    to the bit, and touches no generator but its own; `reset()` does what a further `reset()` of that object does.

    Observations are `[52]` float32 in {0, 1}, rewards floats in points, of one decimal. The game itself never ends, and
    neither does this environment: `gymnasium.make` puts its `TimeLimit` around it. `info` has, after reset and step
    alike,

        red_hosts    [13] bool   hosts with a Red session, in the order of the observation; more than Blue knows
        action_mask  [145] int8  0 for decoys that can't be placed now (`pipeline.cage2.gym.shown`), 1 for all others

    Args:
        red_agent: One of `spec.RED_AGENTS`, or one's own, `module:Name` or `path/to/file.py:Name`. Of several with
            commas between, or of `mixed_env.MIXED`, one attacks by the episode's seed as in training; without a seed,
            the one after that of the last episode.
        engine: `fast`, or `cyborg` for CybORG itself.
        profile: `head`, the game as it is today, or `leaderboard`, as on the contest's final day.
        observation: `stock`, or `corrected`: a new decoy does not hide a scan of the same step.
        observation_memory: Whether the observation also has what Blue may remember (`blue.memory`), 78 bits more.
        actions: `all`: CybORG's 145. `merged`: the 31 worth taking (`blue.interface`); with a memory, `action_mask` is
            also 0 for those that are useless now.
        episode_steps: Steps of an episode as a memory counts the time; give it with `max_episode_steps`.
        render_mode: `ansi`: `render()` returns a str. `rgb_array`: a picture, `[height, width, 3]` uint8.

    Raises:
        UnknownRedAgentError: There is no such Red agent.
        AttackerNotFoundError: There is none of one's own of that name.
        OptionError: Another argument is none of those.
        NotInstalledError: CybORG is asked for and not there.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": FRAMES_PER_S}  # noqa: RUF012 - as gymnasium types it

    def __init__(
        self,
        red_agent: str = "B_lineAgent",
        engine: Engine = "fast",
        profile: Profile = "head",
        observation: Observation = "stock",
        observation_memory: bool = False,
        actions: Actions = "all",
        episode_steps: int = spec.EPISODE_STEPS,
        render_mode: RenderMode | None = None,
    ) -> None:
        options = Options(
            red_agent, engine, profile, observation, observation_memory, actions, episode_steps, render_mode
        )
        self._options = options
        interface = options.interface
        self.observation_space = observation_space(interface)
        self.action_space = action_space(interface)
        self.render_mode = render_mode
        self._num_actions = interface.num_actions
        self._started = False
        self._game: Game = FastGame(options) if engine == "fast" else CyborgGame(options)
        self._blue = None if interface.is_plain else BlueSide(1, interface, episode_steps)

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
        self._started = True
        if self._blue:
            self._blue.begin(_THE_GAME, self._game.table())
        return self._show()

    def step(self, action: int | np.integer[Any]) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play Blue's action, then Red's.

        Args:
            action: 0 to 144, an index of `spec.ACTION_NAMES`; with merged actions 0 to 30, of `interface.MERGED`.

        Raises:
            InvalidActionError: It is not.
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        try:
            index = operator.index(action)
        except TypeError:
            raise InvalidActionError(action, self._num_actions) from None
        if not 0 <= index < self._num_actions:
            raise InvalidActionError(action, self._num_actions)
        if not self._started:
            raise error.ResetNeeded("no episode has been started: call reset() first")
        if self._blue:
            index = int(self._blue.act(_THE_GAME, np.array([index]))[0])
        reward = self._game.step(index)
        if self._blue:
            self._blue.see(_THE_GAME, self._game.table())
        shown, info = self._show()
        return shown, reward / 10, False, False, info

    def view(self) -> View:
        """Return all that there is to know of the game now; reached as `env.unwrapped.view()`.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        if not self._started:
            raise error.ResetNeeded("there is nothing to see yet: call reset() first")
        return self._game.view()

    def state(self) -> EnvState:
        """Return the game as it stands, to go on from whenever one likes; reached as `env.unwrapped.state()`.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
            UnsavedGameError: CybORG plays it.
            UnsavedAttackerError: Red is one's own.
        """
        parts = self._game.parts(self._blue)
        if not self._started:
            raise error.ResetNeeded("there is nothing to save yet: call reset() first")
        return parts.states(_THE_GAME)[0]

    def set_state(self, state: EnvState) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Go on from a state; reached as `env.unwrapped.set_state(state)`.

        Wrappers know nothing of it: a `TimeLimit` counts on.

        Returns:
            What was shown when it was saved, `(observation, info)`.

        Raises:
            StateError: It is damaged, of another version, or of an environment that was made with other options; the
                game is as it was.
            UnsavedGameError: CybORG plays it.
        """
        self._game.parts(self._blue).set_states([state], _THE_GAME)
        self._started = True
        return self._show()

    def branch(self, num_envs: int, reseed: Sequence[int | None] | None = None) -> Cage2VectorEnv:
        """Return a batch of games that all go on from here; see `Cage2VectorEnv.branch`.

        Raises:
            OptionError: There are to be none.
            ValueError: There is not one seed for each game.
            gymnasium.error.ResetNeeded: There has been no `reset`.
            UnsavedGameError: CybORG plays it.
        """
        return Cage2VectorEnv.of(self._options, self.state(), num_envs, reseed)

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Return `info["action_mask"]` as bool, where sb3-contrib's `MaskablePPO` looks for it.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        if not self._started:
            raise error.ResetNeeded("there is nothing to mask yet: call reset() first")
        mask: npt.NDArray[np.int8] = self._show()[1]["action_mask"]
        return mask.astype(np.bool_)

    def render(self) -> Any:  # gymnasium's versions differ in how they type it
        """Return the game as text or picture, by `render_mode`; None without one.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        return None if self.render_mode is None else render(self.view(), self.render_mode)

    def _show(self) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        observations, red_hosts, masks = self._game.show()
        if self._blue:
            observations, masks = self._blue.observations.astype(np.float32), self._blue.masks(masks)
        return observations[0], {"red_hosts": red_hosts[0], "action_mask": masks[0]}
