"""`Cage2VectorEnv` as Stable-Baselines3 wants it: that library has a vector interface of its own.

Nothing of the pipeline imports this module, and nothing but Stable-Baselines3 is needed for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import AutoresetMode

from pipeline import extras

extras.require("Sb3VecEnv", "stable_baselines3")  # told in one line

from stable_baselines3.common.vec_env import VecEnv  # noqa: E402

from pipeline.cage2.gym.games import OptionError, check_reset_options  # noqa: E402
from pipeline.cage2.show.render import render  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    import gymnasium
    from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

    from pipeline.cage2.engine.mersenne import Seeds
    from pipeline.cage2.gym.env_state import EnvState
    from pipeline.cage2.gym.vector import Bools, Cage2VectorEnv, Floats
    from pipeline.cage2.show.view import View


class OneGame:
    """A game of a batch, as far as it can be asked by itself.

    Args:
        envs: The batch.
        index: Which of its games.
    """

    def __init__(self, envs: Cage2VectorEnv, index: int) -> None:
        self._envs = envs
        self._index = index
        self.spec = envs.spec
        self.metadata = envs.metadata
        self.render_mode = envs.render_mode
        self.observation_space = envs.single_observation_space
        self.action_space = envs.single_action_space

    @property
    def unwrapped(self) -> OneGame:
        """The game itself: nothing is wrapped around it."""
        return self

    def view(self) -> View:
        """See `Cage2GymEnv.view`."""
        return self._envs.view(self._index)

    def state(self) -> EnvState:
        """See `Cage2GymEnv.state`."""
        return self._envs.states([self._index])[0]

    def set_state(self, state: EnvState) -> None:
        """See `Cage2GymEnv.set_state`."""
        self._envs.set_states([state], [self._index])

    def branch(self, num_envs: int, reseed: Seeds | None = None) -> Cage2VectorEnv:
        """See `Cage2GymEnv.branch`."""
        return self._envs.branch(num_envs, reseed, self._index)

    def action_masks(self) -> Bools:
        """See `Cage2GymEnv.action_masks`."""
        masks: Bools = self._envs.action_masks()[self._index]
        return masks

    def render(self) -> str | np.ndarray[Any, np.dtype[np.uint8]] | None:
        """See `Cage2GymEnv.render`."""
        return None if self.render_mode is None else render(self.view(), self.render_mode)


class Sb3VecEnv(VecEnv):
    """`B` games, stepped in one call.

    Of the infos it passes on what Stable-Baselines3's algorithms read, at the end of episodes: `terminal_observation`
    and `TimeLimit.truncated`. `get_attr` and `env_method` ask each game by itself (`OneGame`), as sb3-contrib's
    `MaskablePPO` does for its action masks.

    Args:
        envs: The games, made with `autoreset_mode="SameStep"`.

    Raises:
        OptionError: They were made with another mode.
    """

    def __init__(self, envs: Cage2VectorEnv) -> None:
        if envs.metadata["autoreset_mode"] is not AutoresetMode.SAME_STEP:
            raise OptionError("Stable-Baselines3 resets at once: make the games with autoreset_mode='SameStep'")
        self._envs = envs
        self._games = [OneGame(envs, index) for index in range(envs.num_envs)]
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> Floats:
        """Start an episode in all games, with the seeds of `seed()` if it was called since the last time.

        Raises:
            OptionError: `set_options()` was called: there are none.
        """
        for options in self._options:
            check_reset_options(options)
        observations, _ = self._envs.reset(seed=self._seeds)
        self._reset_seeds()
        self._reset_options()
        return observations

    def step_async(self, actions: np.ndarray[Any, np.dtype[Any]]) -> None:
        """Take the actions of a step."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Play it."""
        observations, rewards, _, truncations, infos = self._envs.step(self._actions)
        listed: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for index in np.flatnonzero(truncations):
            listed[index] = {"terminal_observation": infos["final_obs"][index], "TimeLimit.truncated": True}
        return observations, rewards.astype(np.float32), truncations, listed

    def close(self) -> None:
        """Close the games."""
        self._envs.close()

    def get_images(self) -> Sequence[np.ndarray[Any, np.dtype[np.uint8]] | None]:
        """Return a picture of each game, or None without render mode `rgb_array`."""
        return self._envs.render() or [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of each game."""
        return [getattr(self._games[index], attr_name) for index in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refuse: the games have no attributes that could be set."""
        raise AttributeError(f"{attr_name}: games of a batch have no attributes of their own; set them when making it")

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of each game: one of `OneGame`'s."""
        return [
            getattr(self._games[index], method_name)(*method_args, **kwargs) for index in self._get_indices(indices)
        ]

    def env_is_wrapped(
        self, wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return False for each game: they are not wrapped."""
        return [False for _ in self._get_indices(indices)]
