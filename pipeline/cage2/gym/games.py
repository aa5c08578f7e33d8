"""One game for `env.Cage2GymEnv`, on either engine: what it shows to a learner, and a `View` of it for people."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.cyborg.view import cyborg_view, listening_ports
from pipeline.cage2.engine.game import step_games
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.tables import port_mask
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import Actions, Engine, Observation, Profile
from pipeline.cage2.gym.attackers import Attackers
from pipeline.cage2.gym.env_state import Parts
from pipeline.cage2.gym.shown import Shown, show
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.cage2.show.fast_view import Origins, fast_view
from pipeline.cage2.show.render import RenderMode
from pipeline.errors import TravellingError
from pipeline.numerics.compiled import must_be_compiled

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from pipeline.cage2.gym.blue_side import BlueSide
    from pipeline.cage2.show.view import View


class UnsavedGameError(TravellingError, RuntimeError):
    """A game that CybORG plays is to be saved, or to go on from a state."""

    def __init__(self) -> None:
        super().__init__(
            "CybORG's own games have no state(), set_state() and branch(): make the environment with engine='fast', "
            "which plays the same game to the bit, or copy it whole with copy.deepcopy"
        )


class OptionError(ValueError):
    """An environment can't be made as asked."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an environment is made with; see `env.Cage2GymEnv`.

    Raises:
        UnknownRedAgentError: There is no such Red agent.
        OptionError: Another value is none of its option's, or does nothing here.
    """

    red_agent: str
    engine: Engine
    profile: Profile
    observation: Observation
    observation_memory: bool
    actions: Actions
    episode_steps: int
    render_mode: RenderMode | None

    def __post_init__(self) -> None:
        red_agents_of(self.red_agent)
        choices: dict[str, tuple[object, ...]] = {
            "engine": get_args(Engine),
            "profile": get_args(Profile),
            "observation": get_args(Observation),
            "observation_memory": (False, True),
            "actions": get_args(Actions),
            "render_mode": (None, *get_args(RenderMode)),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise OptionError(
                    f"unknown {name} {getattr(self, name)!r}: choose one of {', '.join(map(str, allowed))}"
                )
        if self.episode_steps < 1:
            raise OptionError(f"episode_steps is 1 or more, not {self.episode_steps}")
        if self.episode_steps != spec.EPISODE_STEPS and not self.observation_memory:
            raise OptionError(
                "episode_steps is what a memory tells the time by, and there is none (observation_memory=False): "
                "episodes of another length are made with max_episode_steps"
            )
        if self.engine == "cyborg" and self.profile != "head":
            raise OptionError(
                f"CybORG as installed plays profile 'head' only: choose engine='fast' for {self.profile!r}"
            )

    @property
    def interface(self) -> Interface:
        """What Blue sees and may do."""
        return Interface.of(self)


class Game(Protocol):
    """A game, one episode after the other."""

    def reset(self, seed: int | None) -> None:
        """Start an episode: with a seed, as a CybORG built and wrapped after seeding; without, as the same goes on."""
        ...

    def step(self, action: int) -> int:
        """Play a step, and return its reward in tenths of a point."""
        ...

    def table(self) -> npt.NDArray[np.int8]:
        """Return the table after the last step or reset, `[1, 52]` int8 in {0, 1}."""
        ...

    def show(self) -> Shown:
        """Show the last step or reset, as a batch of one."""
        ...

    def view(self) -> View:
        """Return a view of the game."""
        ...

    def parts(self, blue: BlueSide | None) -> Parts:
        """Return what its state consists of, with Blue's side of it; of CybORG's, raise `UnsavedGameError`."""
        ...


@cache
def tell_of_compiling() -> None:
    """Say once that the first game will have to be waited for, if the engine must be compiled."""
    if must_be_compiled(step_games):
        logging.getLogger(__name__).warning("Cage2-v0: the first game compiles the simulator, once, about 10 s")


class FastGame:
    """A `Game` on the engine."""

    def __init__(self, options: Options) -> None:
        tell_of_compiling()
        self._attackers = Attackers(options.red_agent, 1)
        self._batch = GameBatch(1, self._attackers.names[0], options.profile, options.observation)
        self._origins = Origins(self._batch)
        self._index = np.zeros(1, dtype=np.int64)

    def reset(self, seed: int | None) -> None:
        """See `Game.reset`."""
        self._batch.set_red_agents(self._attackers.next([0], [seed]), self._index)
        self._origins.reset([seed], self._index)

    def step(self, action: int) -> int:
        """See `Game.step`."""
        self._batch.step(action)
        return int(self._batch.rewards[0])

    def table(self) -> npt.NDArray[np.int8]:
        """See `Game.table`."""
        return self._batch.observations

    def show(self) -> Shown:
        """See `Game.show`."""
        return show(self._batch.observations, self._batch.red_hosts, self._batch.games["listening"])

    def view(self) -> View:
        """See `Game.view`."""
        return fast_view(self._batch, 0, self._origins.addresses(0))

    def parts(self, blue: BlueSide | None) -> Parts:
        """See `Game.parts`."""
        return Parts(self._batch, self._attackers, self._origins, blue)


class CyborgGame:
    """A `Game` on CybORG, which is built for one Red agent: one of it for each that may attack."""

    def __init__(self, options: Options) -> None:
        self._attackers = Attackers(options.red_agent, 1)
        corrected = options.observation == "corrected"
        self._envs = {name: CyborgEnv(name, corrected=corrected) for name in self._attackers.names}
        self._env = self._envs[self._attackers.names[0]]

    def reset(self, seed: int | None) -> None:
        """See `Game.reset`."""
        (attacker,) = self._attackers.next([0], [seed])
        generator, self._env = self._env.generator, self._envs[attacker]
        self._env.generator = generator  # one for all, as the engine has it
        self._observation = self._env.reset(seed, is_new=seed is not None)
        self._num_steps, self._action = 0, spec.SLEEP

    def step(self, action: int) -> int:
        """See `Game.step`."""
        self._observation, reward = self._env.step(action)
        self._num_steps, self._action = self._num_steps + 1, action
        return reward

    def table(self) -> npt.NDArray[np.int8]:
        """See `Game.table`."""
        return self._observation[np.newaxis]

    def show(self) -> Shown:
        """See `Game.show`."""
        ports = [[port_mask(ports) for ports in listening_ports(self._env)]]
        return show(self.table(), np.array([self._env.red_hosts()], dtype=np.int64), np.array(ports, dtype=np.int64))

    def view(self) -> View:
        """See `Game.view`."""
        return cyborg_view(self._env, self._observation, self._num_steps, self._action)

    def parts(self, blue: BlueSide | None) -> Parts:
        """See `Game.parts`."""
        raise UnsavedGameError


def check_reset_options(options: Mapping[str, Any] | None, known: tuple[str, ...] = ()) -> None:
    """Check that a reset has the options that it is given.

    Args:
        options: The caller's.
        known: Those that there are.

    Raises:
        OptionError: One is not among them, and would have no effect.
    """
    for name in options or ():
        if name not in known:
            there_are = f"only {', '.join(known)}" if known else "none"
            raise OptionError(f"reset has no option {name!r}, {there_are}: a game is chosen when it is made")
