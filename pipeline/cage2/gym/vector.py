"""Many games as one gymnasium vector environment: `make_vec("pipeline.cage2.gym:Cage2-v0", num_envs=..., ...)`."""

from __future__ import annotations

import operator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from gymnasium import error
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts import spec
from pipeline.cage2.gym.attackers import Attackers
from pipeline.cage2.gym.blue_side import BlueSide
from pipeline.cage2.gym.env_state import Parts
from pipeline.cage2.gym.games import OptionError, Options, check_reset_options, tell_of_compiling
from pipeline.cage2.gym.infos import masked, objects
from pipeline.cage2.gym.shown import show
from pipeline.cage2.gym.spaces import InvalidActionError, action_space, observation_space
from pipeline.cage2.show.fast_view import Origins, fast_view
from pipeline.cage2.show.render import FRAMES_PER_S, RENDER_MODES, RenderMode, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.cage2.engine.mersenne import Seeds
    from pipeline.cage2.facts.names import Actions, Engine, Observation, Profile
    from pipeline.cage2.gym.env_state import EnvState
    from pipeline.cage2.show.view import View

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
_ENDLESS = -1
Step = tuple[Floats, npt.NDArray[np.float64], Bools, Bools, dict[str, Any]]


class Cage2VectorEnv(VectorEnv[Floats, npt.NDArray[np.int64], npt.NDArray[Any]]):
    """`B` games in one call, each of them exactly an `env.Cage2GymEnv` with a time limit.

    What comes back, infos included, is what `gymnasium.vector.SyncVectorEnv` gives of `B` such environments, to the
    bit. All arrays are the caller's own.

    Args:
        num_envs: `B`.
        red_agent: See `Cage2GymEnv`, as for all that follow but the last.
        engine: `fast` only. For CybORG, which plays one game at a time, give `make_vec` the vectorization mode `sync`.
        profile: As said.
        observation: As said.
        observation_memory: As said.
        actions: As said.
        episode_steps: As said.
        render_mode: As said; `render()` returns a tuple of `B`.
        max_episode_steps: The step at which `truncated` is True; as in `gymnasium.make`, -1 for episodes without end.
        autoreset_mode: When a game that has ended starts anew, as in `SyncVectorEnv`: `NextStep` (in the next step,
            whose action does not count), `SameStep` (at once; the end is in `infos`), `Disabled` (on request).

    Raises:
        UnknownRedAgentError: There is no such Red agent.
        AttackerNotFoundError: There is none of one's own of that name.
        OptionError: Another argument is none of those.
    """

    metadata: dict[str, Any]
    _metadata: ClassVar[dict[str, Any]] = {"render_modes": list(RENDER_MODES), "render_fps": FRAMES_PER_S}

    def __init__(
        self,
        num_envs: int = 1,
        red_agent: str = "B_lineAgent",
        engine: Engine = "fast",
        profile: Profile = "head",
        observation: Observation = "stock",
        observation_memory: bool = False,
        actions: Actions = "all",
        episode_steps: int = spec.EPISODE_STEPS,
        render_mode: RenderMode | None = None,
        max_episode_steps: int = spec.EPISODE_STEPS,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    ) -> None:
        options = Options(
            red_agent, engine, profile, observation, observation_memory, actions, episode_steps, render_mode
        )
        if engine != "fast":
            raise OptionError(f"engine {engine!r} plays one game at a time: give vectorization_mode='sync' as well")
        if num_envs < 1:
            raise OptionError(f"num_envs is 1 or more, not {num_envs}")
        if max_episode_steps < 1 and max_episode_steps != _ENDLESS:
            raise OptionError(f"max_episode_steps is 1 or more, or -1 for no end, not {max_episode_steps}")
        self.num_envs = num_envs
        self._autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self._metadata, "autoreset_mode": self._autoreset_mode}
        self.render_mode = render_mode
        interface = options.interface
        self.single_observation_space, self.single_action_space = observation_space(interface), action_space(interface)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._num_actions = interface.num_actions
        self._options = options
        tell_of_compiling()
        self._attackers = Attackers(red_agent, num_envs)
        self._batch = GameBatch(num_envs, self._attackers.names[0], profile, observation)
        self._blue = None if interface.is_plain else BlueSide(num_envs, interface, episode_steps)
        self._origins = Origins(self._batch)
        self._parts = Parts(self._batch, self._attackers, self._origins, self._blue)
        self._max_steps = np.iinfo(np.int64).max if max_episode_steps == _ENDLESS else max_episode_steps
        self._num_steps = np.full(num_envs, -1, dtype=np.int64)  # -1 before the first reset
        self._ended = np.zeros(num_envs, dtype=np.bool_)

    @classmethod
    def of(cls, options: Options, state: EnvState, num_envs: int, reseed: Seeds | None) -> Self:
        """Return games that go on from one state; see `branch`."""
        games = cls(num_envs, **asdict(options), max_episode_steps=_ENDLESS, autoreset_mode=AutoresetMode.DISABLED)
        games.set_states([state] * num_envs)
        if reseed is not None:
            games._batch.reseed(reseed)
        return games

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start an episode in all games, or in some.

        Args:
            seed: Of each game; see `Cage2GymEnv.reset`. An int stands for `[seed, seed + 1, ...]`.
            options: `reset_mask`, `[B]` bool, says which games; all by default.

        Raises:
            OptionError: There is not one seed for each game, the mask isn't `[B]` bool with one True at least, or there
                is another option.
        """
        check_reset_options(options, known=("reset_mask",))
        if seed is None or isinstance(seed, (int, np.integer)):
            super().reset(seed=None if seed is None else abs(int(seed)))
            seed = [None if seed is None else int(seed) + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise OptionError(f"{len(seed)} seeds for {self.num_envs} games: give one for each")
        mask = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=np.bool_))
        if (
            not isinstance(mask, np.ndarray)
            or mask.dtype != np.bool_
            or mask.shape != (self.num_envs,)
            or not any(mask)
        ):
            raise OptionError(f"reset_mask is [{self.num_envs}] bool with one True at least, not {mask!r}")
        self._reset(mask, [None if one is None else operator.index(one) for one in seed])
        observations, infos = self._show()
        return observations, masked(infos, mask)

    def step(self, actions: npt.NDArray[np.integer[Any]] | Sequence[int]) -> Step:
        """Play a step of every game.

        Args:
            actions: `[B]` integers, each of `single_action_space` (see `Cage2GymEnv.step`); of a game that is reset in
                this step (`NextStep`) any.

        Returns:
            `(observations [B, 52] float32, rewards [B] float64, terminations [B], truncations [B], infos)`, where
            `infos` has `red_hosts` `[B, 13]` and `action_mask` `[B, 145]` (see `Cage2GymEnv`, also for other sizes)
            and gymnasium's masks for both.

        Raises:
            InvalidActionError: An action is none of Blue's, or there is not one for each game.
            gymnasium.error.ResetNeeded: A game has not been reset, or has ended and is not reset by itself.
        """
        array = np.asarray(actions)
        if array.shape != (self.num_envs,) or array.dtype.kind not in "iu":
            raise InvalidActionError(actions, self._num_actions)
        counted = array[~self._ended] if self._autoreset_mode is AutoresetMode.NEXT_STEP else array
        if ((counted < 0) | (counted >= self._num_actions)).any():
            raise InvalidActionError(actions, self._num_actions)
        if self._num_steps.min() < 0:
            raise error.ResetNeeded("no episode has been started: call reset() first")
        if self._ended.any():
            if self._autoreset_mode is not AutoresetMode.NEXT_STEP:
                raise error.ResetNeeded("games have ended: call reset(options={'reset_mask': ended})")
            self._step_others(array, self._ended.copy())
        else:
            self._play(array)
            self._num_steps += 1
        truncations = self._num_steps >= self._max_steps
        rewards = self._batch.rewards / 10
        observations, infos = self._show()
        self._ended = truncations.copy()
        if self._autoreset_mode is AutoresetMode.SAME_STEP and truncations.any():
            final = {"final_obs": objects(observations, truncations), "final_info": masked(infos, truncations)}
            self._reset(truncations, [None] * self.num_envs)
            observations, infos = self._show()
            infos |= final | {f"_{name}": truncations.copy() for name in final}
        return observations, rewards, np.zeros(self.num_envs, dtype=np.bool_), truncations, infos

    def view(self, index: int) -> View:
        """Return all that there is to know of a game now.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        if self._num_steps[index] < 0:
            raise error.ResetNeeded("there is nothing to see yet: call reset() first")
        return fast_view(self._batch, index, self._origins.addresses(index))

    def states(self, indices: npt.ArrayLike | None = None) -> list[EnvState]:
        """Return games as they stand, `indices` or all, to go on from whenever one likes.

        Raises:
            ValueError: An index is of no game.
            gymnasium.error.ResetNeeded: One of them has not been reset.
        """
        places = self._batch.places(indices)
        if min(self._num_steps[places], default=0) < 0:
            raise error.ResetNeeded("there is nothing to save yet: call reset() first")
        return self._parts.states(places)

    def set_states(
        self, states: Sequence[EnvState], indices: npt.ArrayLike | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Let games, `indices` or all, go on from states; see `Cage2GymEnv.set_state`.

        One that has played `max_episode_steps` or more has ended.

        Raises:
            StateError: As said there; all games are as they were.
            ValueError: There is not one state for each game, or an index is of no game.
        """
        places = self._batch.places(indices)
        self._parts.set_states(states, places)
        self._num_steps[places] = self._batch.games["num_steps"][places]
        self._ended[places] = self._num_steps[places] >= self._max_steps
        observations, infos = self._show()
        return observations, masked(infos, np.isin(np.arange(self.num_envs), places))

    def branch(self, num_envs: int, reseed: Seeds | None = None, index: int = 0) -> Cage2VectorEnv:
        """Return a batch of games that all go on from where one of these stands, which is not touched.

        Episodes there have no end, and nothing resets them.

        Args:
            num_envs: How many; with none, and with an index of no game, this fails as `make_vec` and `states` do.
            reseed: `[num_envs]`, seeds to draw with from here on: all that has come to be, seen or hidden, stays as it
                is, and what comes is new. With None in it a game draws what this one will; by default all do.
            index: Which game.
        """
        (state,) = self.states([index])
        return Cage2VectorEnv.of(self._options, state, num_envs, reseed)

    def action_masks(self) -> Bools:
        """Return the action masks of the last step or reset as bool, `[B, 145]` if the actions are all."""
        _, infos = self._show()
        masks: npt.NDArray[np.int8] = infos["action_mask"]
        return masks.astype(np.bool_)

    def render(self) -> tuple[Any, ...] | None:
        """Return every game as text or picture, by `render_mode`; None without one.

        Raises:
            gymnasium.error.ResetNeeded: There has been no `reset`.
        """
        if self.render_mode is None:
            return None
        return tuple(render(self.view(index), self.render_mode) for index in range(self.num_envs))

    def _play(self, choices: npt.NDArray[np.integer[Any]], resting: Bools | None = None) -> None:
        """Play a step of the whole batch, of which the games that rest don't count."""
        if self._blue is None:
            self._batch.step(choices, resting=resting)
        else:
            indices = np.arange(self.num_envs) if resting is None else np.flatnonzero(~resting)
            self._batch.step(self._blue.act(indices, choices.astype(np.int64)), resting=resting)
            self._blue.see(indices, self._batch.observations)

    def _reset(self, mask: Bools, seeds: Sequence[int | None]) -> None:
        indices = np.flatnonzero(mask)
        chosen = [seeds[index] for index in indices.tolist()]
        self._batch.set_red_agents(self._attackers.next(indices.tolist(), chosen), indices)
        self._origins.reset(chosen, indices)
        if self._blue is not None:
            self._blue.begin(indices, self._batch.observations)
        self._num_steps[indices] = 0
        self._ended[indices] = False

    def _step_others(self, actions: npt.NDArray[np.integer[Any]], ended: Bools) -> None:
        """Reset the games that have ended, and play a step of the others."""
        games = self._batch.games
        if not ended.all():  # the batch plays all: what an ended game draws in that step is taken back
            words, word_index = games["words"][ended], games["word_index"][ended]
            self._play(np.where(ended, 0, actions), resting=ended)
            games["words"][ended], games["word_index"][ended] = words, word_index
            self._num_steps[~ended] += 1
        self._reset(ended, [None] * self.num_envs)

    def _show(self) -> tuple[Floats, dict[str, Any]]:
        batch = self._batch
        observations, red_hosts, masks = show(batch.observations, batch.red_hosts, batch.games["listening"])
        if self._blue is not None:
            observations, masks = self._blue.observations.astype(np.float32), self._blue.masks(masks)
        infos = {"red_hosts": red_hosts, "action_mask": masks}
        return observations, infos | {f"_{name}": np.ones(self.num_envs, dtype=np.bool_) for name in infos}
