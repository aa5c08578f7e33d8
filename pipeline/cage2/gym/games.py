"""One game for `gym_env`, on either engine: what it shows to a learner, and a `View` of it for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, get_args

import numpy as np

from pipeline.cage2.cyborg.env import CyborgEnv, UnknownRedAgentError
from pipeline.cage2.cyborg.view import cyborg_view, listening_ports
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.tables import port_mask
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import Engine, Observation, Profile
from pipeline.cage2.gym.shown import Shown, show
from pipeline.cage2.show.fast_view import Origins, fast_view
from pipeline.cage2.show.render import RenderMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.cage2.show.view import View


class OptionError(ValueError):
    """An environment can't be made as asked."""


def check_options(
    red_agent: str, engine: str, profile: str, observation: str, max_steps: int | None, render_mode: str | None
) -> None:
    """Check what an environment is to be made with.

    Raises:
        UnknownRedAgentError: There is no such Red agent.
        OptionError: Another value is none of its option's, or CybORG can't play as asked.
    """
    if red_agent not in spec.RED_AGENTS:
        raise UnknownRedAgentError(red_agent)
    for name, value, choices in (
        ("engine", engine, get_args(Engine)),
        ("profile", profile, get_args(Profile)),
        ("observation", observation, get_args(Observation)),
        ("render_mode", render_mode, (None, *get_args(RenderMode))),
    ):
        if value not in choices:
            raise OptionError(f"unknown {name} {value!r}: choose one of {', '.join(map(str, choices))}")
    if max_steps is not None and max_steps < 1:
        raise OptionError(f"max_steps is 1 or more, or None for episodes without end, not {max_steps}")
    if engine == "cyborg" and profile != "head":
        raise OptionError(f"CybORG as installed plays profile 'head' only: choose engine='fast' for {profile!r}")


class Game(Protocol):
    """A game, one episode after the other."""

    def reset(self, seed: int | None) -> None:
        """Start an episode: with a seed, as a CybORG built and wrapped after seeding; without, as the same goes on."""
        ...

    def step(self, action: int) -> int:
        """Play a step, and return its reward in tenths of a point."""
        ...

    def show(self) -> Shown:
        """Show the last step or reset, as a batch of one."""
        ...

    def view(self) -> View:
        """Return a view of the game."""
        ...


class FastGame:
    """A `Game` on the engine."""

    def __init__(self, red_agent: str, profile: Profile, observation: Observation) -> None:
        self._batch = GameBatch(1, red_agent, profile, observation)
        self._origins = Origins(self._batch)
        self._listening = self._batch.games["listening"]
        self._index = np.zeros(1, dtype=np.int64)

    def reset(self, seed: int | None) -> None:
        """See `Game.reset`."""
        self._origins.reset([seed], self._index)

    def step(self, action: int) -> int:
        """See `Game.step`."""
        self._batch.step(action)
        return int(self._batch.rewards[0])

    def show(self) -> Shown:
        """See `Game.show`."""
        return show(self._batch.observations, self._batch.red_hosts, self._listening)

    def view(self) -> View:
        """See `Game.view`."""
        return fast_view(self._batch, 0, self._origins.addresses(0))


class CyborgGame:
    """A `Game` on CybORG."""

    def __init__(self, red_agent: str, observation: Observation) -> None:
        self._env = CyborgEnv(red_agent, corrected=observation == "corrected")

    def reset(self, seed: int | None) -> None:
        """See `Game.reset`."""
        self._observation = self._env.reset(seed, is_new=seed is not None)
        self._num_steps, self._action = 0, spec.SLEEP

    def step(self, action: int) -> int:
        """See `Game.step`."""
        self._observation, reward = self._env.step(action)
        self._num_steps, self._action = self._num_steps + 1, action
        return reward

    def show(self) -> Shown:
        """See `Game.show`."""
        ports = [[port_mask(ports) for ports in listening_ports(self._env)]]
        return show(
            self._observation[np.newaxis],
            np.array([self._env.red_hosts()], dtype=np.int64),
            np.array(ports, dtype=np.int64),
        )

    def view(self) -> View:
        """See `Game.view`."""
        return cyborg_view(self._env, self._observation, self._num_steps, self._action)


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
