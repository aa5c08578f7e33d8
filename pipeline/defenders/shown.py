"""A game as a defender is shown it, one episode after the other: `--observation`, and a `View` of what Blue knows.

stock      [52] int64 in {0, 1}, the table as CybORG's own wrapper gives it: what the contest's script shows
corrected  the same, but a new decoy does not hide a scan of the same step
memory     [130] int64 in {0, 1}: the stock table, and what Blue may remember (`blue.interface.REMEMBERED`)
table      the stock table as text, as CybORG prints it
raw        CybORG's dictionary of what Blue was told, without any wrapper; on CybORG only
"""

from __future__ import annotations

import operator
import random
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.cyborg.raw_env import RawCyborgEnv
from pipeline.cage2.cyborg.view import cyborg_view, listening_ports
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.tables import port_mask
from pipeline.cage2.facts import spec
from pipeline.cage2.gym.blue_side import BlueSide
from pipeline.cage2.gym.shown import show
from pipeline.cage2.show.fast_view import draw_addresses, fast_view
from pipeline.errors import TravellingError
from pipeline.printable import shown

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.cage2.facts.names import Actions
    from pipeline.defenders.defender import View
    from pipeline.defenders.reference import Observation
    from pipeline.play.game import GameSpec

_THE_GAME = np.zeros(1, dtype=np.int64)
_ACTION_IDS = {name: action for action, name in enumerate(spec.ACTION_NAMES)}


class WrongActionError(TravellingError, ValueError):
    """What a defender returned is no action."""

    def __init__(self, action: object, wanted: str) -> None:
        super().__init__(f"it returned {shown(repr(action))}, of type {type(action).__name__}: an action is {wanted}")


class NoTableError(TravellingError, RuntimeError):
    """A table is asked for where there is none."""

    def __init__(self) -> None:
        super().__init__(
            "there is neither table nor mask with raw observations, nor in the contest's script: ask for --observation "
            "table, say"
        )


class ShownGame(Protocol):
    """A game, and what is shown of it."""

    observation_size: int | None
    """Values of an observation; None if it is no vector."""

    @property
    def view(self) -> View:
        """What else may be asked for, of the last step or reset."""
        ...

    def reset(self, seed: int) -> Any:
        """Start an episode, and return what is shown before its first step."""
        ...

    def step(self, action: Any) -> tuple[Any, int, int]:
        """Play a step.

        Args:
            action: What a defender returned.

        Returns:
            `(observation, reward, id)`: what is shown of it, its reward in tenths of a point, and which of CybORG's
            145 actions it was.

        Raises:
            WrongActionError: It is none; nothing was played.
        """
        ...


def require_action(action: Any, num_actions: int) -> int:
    """Return the action's id that a defender returned.

    Raises:
        WrongActionError: It is no whole number from 0 to `num_actions - 1`.
    """
    wanted = f"a whole number from 0 to {num_actions - 1}"
    try:
        index = operator.index(action)
    except TypeError:
        raise WrongActionError(action, wanted) from None
    if not 0 <= index < num_actions:
        raise WrongActionError(action, wanted)
    return index


def shown_game(game: GameSpec, observation: Observation, actions: Actions = "all") -> ShownGame:
    """Return a game, built.

    Args:
        game: Which; its own interface is of no matter.
        observation: What is shown of it; `raw` if CybORG plays it only.
        actions: What the numbers that `step` takes count.
    """
    if observation == "raw":
        return _Raw(game)
    return _OnFastEngine(game, observation, actions) if game.engine == "fast" else _OnCyborg(game, observation, actions)


class _Tabled:
    """A game of which a table is shown, on either engine; its own view."""

    def __init__(self, game: GameSpec, env: FastEnv | CyborgEnv, observation: Observation, actions: Actions) -> None:
        interface = Interface(observation == "memory", actions, game.profile)
        self._step, self._reset = env.step, env.reset
        self._blue = None if interface.is_plain else BlueSide(1, interface, game.num_steps)
        self._is_text = observation == "table"
        self.action_space = interface.num_actions
        self.observation_size = None if self._is_text else interface.observation_size
        self._num_seen = interface.observation_size

    @property
    def view(self) -> View:
        return self

    def reset(self, seed: int) -> Any:
        self._seed, self._num_steps, self._action = seed, 0, spec.SLEEP
        self._table = self._reset(seed)
        if self._blue:
            self._blue.begin(_THE_GAME, self._table[np.newaxis])
        return self._observation()

    def step(self, action: Any) -> tuple[Any, int, int]:
        index = require_action(action, self.action_space)
        if self._blue:
            index = int(self._blue.act(_THE_GAME, np.array([index]))[0])
        self._table, reward = self._step(index)
        self._num_steps, self._action = self._num_steps + 1, index
        if self._blue:
            self._blue.see(_THE_GAME, self._table[np.newaxis])
        return self._observation(), reward, index

    def _observation(self) -> Any:
        if self._is_text:
            return self.blue_table()
        if self._num_seen == spec.OBSERVATION_SIZE or self._blue is None:
            return self._table.astype(np.int64)
        return self._blue.observations[0].astype(np.int64)

    def action_mask(self) -> npt.NDArray[np.bool_]:
        """See `View.action_mask`."""
        no_matter = np.zeros(1, dtype=np.int64)
        placeable = show(self._table[np.newaxis], no_matter, self._listening())[2]
        masks = self._blue.masks(placeable) if self._blue else placeable  # [1, A] int8
        return np.asarray(masks[0], dtype=np.bool_)

    def blue_table(self) -> str:
        """See `View.blue_table`."""
        raise NotImplementedError

    def _listening(self) -> npt.NDArray[np.int64]:
        """Return `[1, 13]`, ports that something listens on as masks."""
        raise NotImplementedError


class _OnFastEngine(_Tabled):
    def __init__(self, game: GameSpec, observation: Observation, actions: Actions) -> None:
        env = FastEnv(game.red_agent, game.profile, "corrected" if observation == "corrected" else "stock")
        super().__init__(game, env, observation, actions)
        self._batch = env.batch

    def blue_table(self) -> str:
        addresses = draw_addresses(random.Random(self._seed))  # noqa: S311  # as the game has drawn them, first of all
        return fast_view(self._batch, 0, addresses).blue_table()

    def _listening(self) -> npt.NDArray[np.int64]:
        listening: npt.NDArray[np.int64] = self._batch.games["listening"]
        return listening


class _OnCyborg(_Tabled):
    def __init__(self, game: GameSpec, observation: Observation, actions: Actions) -> None:
        env = CyborgEnv(game.red_agent, game.cyborg, corrected=observation == "corrected")
        super().__init__(game, env, observation, actions)
        self._env = env

    def blue_table(self) -> str:
        return cyborg_view(self._env, self._table, self._num_steps, self._action).blue_table()

    def _listening(self) -> npt.NDArray[np.int64]:
        return np.array([[port_mask(ports) for ports in listening_ports(self._env)]], dtype=np.int64)


class _Raw:
    """A game as CybORG itself shows it; its own view."""

    def __init__(self, game: GameSpec) -> None:
        self.observation_size: int | None = None
        self._env = RawCyborgEnv(game.red_agent, game.cyborg)

    @property
    def view(self) -> View:
        return self

    @property
    def action_space(self) -> dict[str, Any]:
        return self._env.action_space

    def reset(self, seed: int) -> Any:
        return self._env.reset(seed)

    def step(self, action: Any) -> tuple[Any, int, int]:
        wanted = f"one of CybORG's objects that stand for Blue's 145, or its number, 0 to {spec.NUM_ACTIONS - 1}"
        try:
            index = operator.index(action)
        except TypeError:
            index = _ACTION_IDS.get(str(action), -1) if hasattr(action, "sim_execute") else -1
            taken = action
        else:
            taken = self._env.actions[index] if 0 <= index < spec.NUM_ACTIONS else None
        if not 0 <= index < spec.NUM_ACTIONS:
            raise WrongActionError(action, wanted)
        observation, reward = self._env.step(taken)
        return observation, reward, index

    def blue_table(self) -> str:
        raise NoTableError

    def action_mask(self) -> npt.NDArray[np.bool_]:
        raise NoTableError
