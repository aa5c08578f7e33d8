"""Blue's side of `B` games: what it is shown and what its choices mean, by an `Interface`, with a memory of each game.

begin -> (observations, masks) -> act -> (the games' step) see -> (observations, masks) -> act -> ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.blue.interface import MERGED, NEXT_DECOY, Interface
from pipeline.cage2.blue.memory import Memory, act, begin, next_decoy, see
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]
    """`[n]`, which of the games."""


class BlueSide:
    """What the Blue of each game sees, may do and remembers.

    Args:
        num_games: `B`.
        interface: What it sees and may do.
        episode_steps: Steps of an episode, by which a memory tells the time.

    Attributes:
        observations: `[B, observation_size]` int8 in {0, 1}, of the last step of each game; written in place.
    """

    def __init__(self, num_games: int, interface: Interface, episode_steps: int) -> None:
        self._memories = np.repeat(Memory(interface).state, num_games)
        self._is_merged = interface.actions == "merged"
        mask = interface.mask
        num_actions = interface.num_actions
        self._cause = _bits(mask.cause if mask else (None,) * num_actions)
        self._spent = _bits(mask.spent if mask else (None,) * num_actions)
        self._episode_steps = episode_steps
        self.observations = np.zeros((num_games, interface.observation_size), dtype=np.int8)

    def begin(self, indices: Indices, tables: npt.NDArray[np.int8]) -> None:
        """Forget the last episode of some games, and see the first tables of new ones, `[B, 52]`."""
        _begin(self._memories, indices, self._episode_steps, tables, self.observations)

    def act(self, indices: Indices, choices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return `[B]` ids of CybORG's for `[B]` choices, of some games, and remember them; 0 for the others."""
        actions = np.zeros(len(self._memories), dtype=np.int64)
        _act(self._memories, indices, choices, actions)
        return actions

    def see(self, indices: Indices, tables: npt.NDArray[np.int8]) -> None:
        """See what came of a step, `[B, 52]`, of some games."""
        _see(self._memories, indices, tables, self.observations)

    def masks(self, placeable: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """Return `[B, num_actions]`, 0 for actions that can't succeed or are useless now (`Interface.mask`), else 1.

        Args:
            placeable: `[B, 145]`, 0 for decoys that can't be placed now, else 1 (`shown`).
        """
        if not self._is_merged:
            return placeable
        masks = np.empty((len(placeable), len(MERGED)), dtype=np.int8)
        _mask(self._memories, placeable, self.observations, self._cause, self._spent, masks)
        return masks


def _bits(bits: tuple[int | None, ...]) -> npt.NDArray[np.int64]:
    return np.array([-1 if bit is None else bit for bit in bits], dtype=np.int64)


@kernel
def _begin(
    memories: npt.NDArray[np.void],
    indices: npt.NDArray[np.int64],
    num_steps: int,
    tables: npt.NDArray[np.int8],
    rows: npt.NDArray[np.int8],
) -> None:
    for index in indices:
        begin(memories[index], num_steps)
        see(memories[index], tables[index], rows[index])


@kernel
def _act(
    memories: npt.NDArray[np.void],
    indices: npt.NDArray[np.int64],
    choices: npt.NDArray[np.int64],
    actions: npt.NDArray[np.int64],
) -> None:
    for index in indices:
        actions[index] = act(memories[index], choices[index])


@kernel
def _see(
    memories: npt.NDArray[np.void],
    indices: npt.NDArray[np.int64],
    tables: npt.NDArray[np.int8],
    rows: npt.NDArray[np.int8],
) -> None:
    for index in indices:
        see(memories[index], tables[index], rows[index])


@kernel
def _mask(
    memories: npt.NDArray[np.void],
    placeable: npt.NDArray[np.int8],
    rows: npt.NDArray[np.int8],
    cause: npt.NDArray[np.int64],
    spent: npt.NDArray[np.int64],
    masks: npt.NDArray[np.int8],
) -> None:
    for game in range(len(memories)):
        for choice in range(masks.shape[1]):
            action = MERGED[choice]
            if action <= NEXT_DECOY:
                action = next_decoy(memories[game], NEXT_DECOY - action)
            useful = placeable[game, action] != 0
            if cause[choice] >= 0:
                useful = useful and rows[game, cause[choice]] != 0
            if spent[choice] >= 0:
                useful = useful and rows[game, spent[choice]] == 0
            masks[game, choice] = useful
