"""Blue's side of `B` games: what it is shown and what its choices mean, by an `Interface`, with a memory of each game.

begin -> (observations, masks) -> act -> (the games' step) see -> (observations, masks) -> act -> ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.blue.interface import MERGED, NEXT_DECOY, REMEMBERED, Interface
from pipeline.cage2.blue.memory import MEMORY, Memory, act, begin, next_decoy, see
from pipeline.cage2.engine.game_state import StateError, layout_digest
from pipeline.cage2.engine.tables import NUM_PORT_SETS
from pipeline.cage2.facts.spec import NUM_HOSTS
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Indices = npt.NDArray[np.int64]
    """`[n]`, which of the games."""
    Loaded = tuple[npt.NDArray[np.void], npt.NDArray[np.int8]]
    """`[n]` of `MEMORY`, and `[n, observation_size]`."""

MEMORY_LAYOUT = layout_digest(MEMORY.descr, REMEMBERED, MERGED)
"""Of what Blue remembers, in this version."""
_OF_INTERFACE = ("is_merged", "is_seen", "num_actions", "observation_size", "num_steps")
"""Fields of a memory that are the same in every game of an environment."""
_HIGHEST = {name: (1 << NUM_HOSTS) - 1 for name in MEMORY.names or () if name not in _OF_INTERFACE} | {
    "step": 1 << 32,
    "was_exploit": 1,
    "faked": NUM_PORT_SETS - 1,
    "faked_first": NUM_PORT_SETS - 1,
}
"""Of the other fields; the lowest of all is 0."""


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
        kind = Memory(interface).state
        kind["num_steps"] = episode_steps
        self._kind = kind[0]
        self._memories = np.repeat(kind, num_games)
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

    def save(self, indices: Indices) -> list[bytes]:
        """Return what some games' Blues remember and see."""
        rows = self.observations
        return [self._memories[index : index + 1].tobytes() + rows[index].tobytes() for index in indices.tolist()]

    def read(self, saved: Sequence[bytes]) -> Loaded:
        """Return what was saved.

        Raises:
            StateError: It is not of this interface and length of an episode, or holds what no memory does.
        """
        size = MEMORY.itemsize + self.observations.shape[1]
        if not all(isinstance(one, bytes) and len(one) == size for one in saved):
            raise StateError("a state of another memory or other actions: make the environment with the same options")
        raw = np.frombuffer(b"".join(saved), dtype=np.uint8).reshape(len(saved), size)
        memories = np.ascontiguousarray(raw[:, : MEMORY.itemsize]).view(MEMORY)[:, 0]
        rows = raw[:, MEMORY.itemsize :].astype(np.int8)
        for name in _OF_INTERFACE:
            here, others = self._kind[name], memories[name][memories[name] != self._kind[name]]
            if len(others):
                raise StateError(
                    f"a state with {name} {others[0]}, here it is {here}: make the environment with the same options"
                )
        for name, highest in _HIGHEST.items():
            if ((memories[name] < 0) | (memories[name] > highest)).any():
                raise StateError(f"a damaged state: {name} is not 0 to {highest}")
        if (rows & ~1).any():
            raise StateError("a damaged state: what Blue sees is not bits")
        return memories, rows

    def resume(self, loaded: Loaded, indices: Indices) -> None:
        """Let some games' Blues remember and see what `read` returned."""
        self._memories[indices], self.observations[indices] = loaded

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
