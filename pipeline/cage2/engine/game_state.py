"""A game that was saved: what it consists of, and what is asked of it before it is played on.

    GameBatch -> write -> GameState ... (pickled, kept, sent) ... -> read -> GameBatch

Compiled code follows the indices in a game's memory wherever they point. `read` therefore takes nothing on trust: every
number must lie within its bounds (`bounds`), and every list must be as long as the game says. What has passed can be
played without harm; whether a game could ever have come to stand like that is not asked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

import numpy as np

from pipeline.cage2.engine import red
from pipeline.cage2.engine.bounds import find_fault, find_fault_of_lists, list_lengths
from pipeline.cage2.engine.state import ATTRIBUTE, GAME, NUM_LISTS, PID_MASK
from pipeline.cage2.engine.tables import PORTS
from pipeline.cage2.facts import spec, table
from pipeline.cage2.facts.names import Observation, Profile
from pipeline.errors import TravellingError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy.typing as npt

    from pipeline.cage2.engine.state import Games, Lists


def layout_digest(*parts: object) -> str:
    """Return 16 hexadecimal digits for how something lies in memory, and what its numbers stand for."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


LAYOUT = layout_digest(
    GAME.descr,
    (NUM_LISTS, PID_MASK, ATTRIBUTE),
    (spec.RED_AGENTS, get_args(Profile), get_args(Observation)),
    (spec.HOST_NAMES, spec.SUBNETS, spec.ACTION_NAMES, red.ACTIONS, PORTS),
    ([decoy.name for decoy in spec.DECOYS], [exploit.name for exploit in spec.EXPLOITS]),
    (table.ACTIVITIES, table.CONDITIONS),
)
"""Of a game in this version."""


class StateError(TravellingError, ValueError):
    """A state can't be played on here: it is of another version or another game, or damaged."""


@dataclass(frozen=True, slots=True)
class GameState:
    """One game, in the middle of an episode; of a game of its own until it is set.

    Two are equal if they go on in the same way whatever Blue does, in whatever batch they were saved.
    """

    layout: str
    """`LAYOUT` of the version that saved it."""
    record: bytes = field(repr=False)
    """Of `state.GAME`: 22 kB, the generator included."""
    entries: bytes = field(repr=False)
    """int32: of the lists, one after the other, what is in use."""


def require_layout(what: str, layout: str, here: str) -> None:
    """Check that a state was saved by a version in which things lie as they do in this one.

    Raises:
        StateError: It was not.
    """
    if layout != here:
        raise StateError(
            f"a state of another version (its {what} has layout {layout!r}, here {here!r}): "
            "set it with the version that saved it, or play there again"
        )


def write(games: Games, lists: Lists, indices: npt.NDArray[np.int64]) -> list[GameState]:
    """Save some games.

    Args:
        games: `[B]` of `state.GAME`.
        lists: `[B, 3, 13, room]`.
        indices: `[n]`, which games.
    """
    in_use = _in_use(games[indices], lists.shape[3])
    entries = lists[indices][in_use]
    # each record from where it lies: between fields, a copy has what happened to be in memory
    ends = in_use.sum(axis=(1, 2, 3)).cumsum().tolist()
    return [
        GameState(LAYOUT, games[index : index + 1].tobytes(), entries[start:end].tobytes())
        for index, (start, end) in zip(indices.tolist(), pairwise([0, *ends]), strict=True)
    ]


def read(states: Sequence[GameState]) -> tuple[Games, Lists]:
    """Return the games of one state or more.

    Args:
        states: `[n]`, `n >= 1`.

    Returns:
        `(games, lists)`: `[n]` of `state.GAME`, and `[n, 3, 13, room]` where `room` is what the longest list takes.

    Raises:
        StateError: One is of another version, or holds what no game can.
    """
    for state in states:
        _check_form(state)
    games = np.frombuffer(b"".join(state.record for state in states), dtype=GAME)
    _refuse(find_fault(games))
    lengths = list_lengths(games)
    sizes = 4 * lengths.sum(axis=(1, 2))
    for state, size in zip(states, sizes.tolist(), strict=True):
        if len(state.entries) != size:
            _refuse(f"its lists take {size} bytes, not {len(state.entries)}")
    in_use = _in_use(games, max(1, int(lengths.max())))
    lists = np.zeros(in_use.shape, dtype=np.int32)
    lists[in_use] = np.frombuffer(b"".join(state.entries for state in states), dtype=np.int32)
    _refuse(find_fault_of_lists(lists, in_use))
    return games, lists


def require_kind(games: Games, red_agents: Collection[str], profile: int, table_kind: int) -> None:
    """Check that games which were read are of the kind that is played where they are to go on.

    Args:
        games: `[n]`.
        red_agents: Those that may attack there.
        profile: Place in `names.Profile`.
        table_kind: Place in `names.Observation`.

    Raises:
        StateError: One is not.
    """
    places = [place for place, name in enumerate(spec.RED_AGENTS) if name in red_agents]
    for what, field_name, names, here in (
        ("Red agent", "red_agent", spec.RED_AGENTS, places),
        ("profile", "profile", get_args(Profile), [profile]),
        ("observation", "table_kind", get_args(Observation), [table_kind]),
    ):
        others = games[field_name][~np.isin(games[field_name], here)]
        if len(others):
            played = " or ".join(names[place] for place in here)
            raise StateError(f"a state of a game with {what} {names[others[0]]}; here it is {played}")


def _in_use(games: Games, room: int) -> npt.NDArray[np.bool_]:
    """Return which places of `[n, 3, 13, room]` lists hold an entry."""
    in_use: npt.NDArray[np.bool_] = np.arange(room) < list_lengths(games)[..., np.newaxis]
    return in_use


def _check_form(state: GameState) -> None:
    if not isinstance(state, GameState):
        raise StateError(f"not a state of a game but {type(state).__name__}: give what state() returned")
    require_layout("game", state.layout, LAYOUT)
    if not (isinstance(state.record, bytes) and isinstance(state.entries, bytes)):
        _refuse("record and entries are bytes")
    if len(state.record) != GAME.itemsize:
        _refuse(f"a game takes {GAME.itemsize} bytes, not {len(state.record)}")


def _refuse(fault: str | None) -> None:
    if fault is not None:
        raise StateError(f"a damaged state: {fault}")
