"""Blue's memory as operations of an ONNX graph: the rules of `cage2.blue.memory`, for many games at once.

What is a mask there is a row of bits here, `[games, hosts]` bool; of ports there are those alone that a decoy can fake.
A step begins with what Blue did last (`act`), then what came of it is seen (`see`).
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from operator import and_
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.cage2.blue.interface import (
    DECOYS_OF_HOST,
    HOSTS_THAT_MATTER,
    MAIL_HOSTS,
    MERGED,
    NEXT_DECOY,
    NUM_TENTHS,
    REMEMBERED,
)
from pipeline.cage2.engine.tables import BASE_PORTS, DECOY_FREE_PORT, DECOY_HOSTS
from pipeline.cage2.facts.spec import (
    ANALYSE,
    BITS_PER_HOST,
    DECOY,
    DECOYS,
    HOST_NAMES,
    NUM_ACTIONS,
    NUM_HOSTS,
    OBSERVATION_SIZE,
    RESTORE,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeAlias

    import numpy.typing as npt

    from pipeline.cage2.blue.interface import Interface
    from pipeline.export.onnx.graph import Graph, Value

    Memory: TypeAlias = dict[str, Value]
    """What is remembered, by kind: `[games, columns]`, int64 for `step`, else bool."""

_PLACEABLE: Final = tuple(
    (host, kind)
    for host in range(NUM_HOSTS)
    for kind in range(len(DECOYS))
    if DECOY_HOSTS[kind] >> host & 1 and not BASE_PORTS[host] & DECOY_FREE_PORT[kind]
)
"""Decoys that can stand: they fit the host, and nothing of its own has the port that has to be free."""
_FAKED: Final = tuple(sorted({(host, DECOYS[kind].port) for host, kind in _PLACEABLE}))
"""Hosts, and their ports that decoys can fake."""
_HOST_OF_PORT: Final = tuple(host for host, _ in _FAKED)

_PORT_NAMES: Final = tuple(f"{HOST_NAMES[host]}:{port}" for host, port in _FAKED)
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "step": ("",),
    "active": HOST_NAMES,
    "exploited": HOST_NAMES,
    "scanned": HOST_NAMES,
    "last_active": HOST_NAMES,
    "was_exploit": ("",),
    "unanswered": HOST_NAMES,
    "suspects": HOST_NAMES,
    "restored": tuple(HOST_NAMES[host] for host in MAIL_HOSTS),
    "maybe_scanned": HOST_NAMES,
    "faked_first": _PORT_NAMES,
    "faked": _PORT_NAMES,
}
"""What is remembered from step to step (see `memory.MEMORY`), and what each of its columns is about.

The rest is told anew with each step: how long the episode is, and what Blue did last.
"""


def kinds_of(interface: Interface) -> tuple[str, ...]:
    """Return what a policy has to remember: all; with merged actions alone the decoys; else nothing."""
    if interface.observation_memory:
        return tuple(COLUMNS)
    return ("faked",) if interface.actions == "merged" else ()


def state_columns(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the name of each column of the state, like `active User1` and `faked Enterprise0:25`."""
    return tuple(f"{kind} {about}".strip() for kind in kinds for about in COLUMNS[kind])


def _column_per_action(columns: Iterable[tuple[int, int]], num_columns: int) -> npt.NDArray[np.bool_]:
    """Return `[145, columns]`: for some actions the one column that they have to do with."""
    table = np.zeros((NUM_ACTIONS, num_columns), np.bool_)
    for action, column in columns:
        table[action, column] = True
    return table


def _decoy(host: int, kind: int) -> int:
    return DECOY + NUM_HOSTS * kind + host


def _faked(host: int, port: int) -> int:
    return _FAKED.index((host, port))


_RESTORED: Final = _column_per_action(((RESTORE + host, host) for host in range(NUM_HOSTS)), NUM_HOSTS)
_ANALYSED: Final = _column_per_action(((ANALYSE + host, host) for host in range(NUM_HOSTS)), NUM_HOSTS)
_DECOYED: Final = _column_per_action(((_decoy(host, kind), host) for host, kind in _PLACEABLE), NUM_HOSTS)
_FAKES: Final = _column_per_action(
    ((_decoy(host, kind), _faked(host, DECOYS[kind].port)) for host, kind in _PLACEABLE), len(_FAKED)
)
_HAS_TO_BE_FREE: Final = _column_per_action(
    (
        (_decoy(host, kind), _faked(host, DECOYS[kind].free_port))
        for host, kind in _PLACEABLE
        if (host, DECOYS[kind].free_port) in _FAKED  # else it always is
    ),
    len(_FAKED),
)


def act(graph: Graph, kinds: Iterable[str], state: Value, last_action: Value) -> tuple[Memory, Value, Value]:
    """Return what is remembered of a state and of what Blue did then.

    Args:
        graph: Grows.
        kinds: What is remembered, see `kinds_of`.
        state: `[games, columns]` int64; see `packed`.
        last_action: `[games]` int64, 0 to 144, or less if an episode begins: nothing is remembered then.

    Returns:
        The memory; the hosts that Blue placed a decoy on, and those that it analysed, `[games, 13]` bool.
    """
    zero = graph.constant(np.array(0))
    has_acted = (last_action >= zero).as_column().astype("int64")
    memory = _unpacked(state * has_acted, kinds)
    action = graph.node("Max", last_action, zero)  # Sleep, which leaves nothing to remember

    is_blocked = (memory["faked"] & graph.rows(_HAS_TO_BE_FREE, action)).any()
    memory["faked"] &= ~graph.rows(_RESTORED[:, _HOST_OF_PORT], action)
    memory["faked"] |= graph.rows(_FAKES, action) & ~is_blocked
    if "step" in memory:
        memory["step"] += has_acted
        restored = graph.rows(_RESTORED, action)
        memory["unanswered"] |= memory["exploited"] & ~restored
        memory["suspects"] &= ~restored
        memory["restored"] |= restored.columns(MAIL_HOSTS)
    return memory, graph.rows(_DECOYED, action) & ~is_blocked, graph.rows(_ANALYSED, action)


def see(memory: Memory, decoyed: Value, analysed: Value, table: Value) -> None:
    """Remember what came of it.

    Args:
        memory: Of all kinds; changed.
        decoyed: See `act`.
        analysed: See `act`.
        table: `[games, 52]` bool: Blue's.
    """
    active, exploited, *compromised = (
        table.columns(range(bit, OBSERVATION_SIZE, BITS_PER_HOST)) for bit in range(BITS_PER_HOST)
    )
    was_active = memory["active"].any()
    memory["scanned"] |= memory["active"]
    memory["last_active"] = _where(was_active, memory["active"], memory["last_active"])
    memory["was_exploit"] = _where(was_active, memory["exploited"].any(), memory["was_exploit"])
    memory["active"], memory["exploited"] = active, exploited
    is_first = (active & ~memory["scanned"]).columns(_HOST_OF_PORT)
    memory["faked_first"] = _where(is_first, memory["faked"], memory["faked_first"])

    looks_compromised = compromised[0] | compromised[1]
    memory["suspects"] &= ~analysed | looks_compromised
    signs = active | decoyed
    memory["suspects"] |= exploited | (signs & memory["maybe_scanned"])
    memory["maybe_scanned"] |= signs


def remembered(graph: Graph, memory: Memory, num_steps: Value) -> Value:
    """Return the bits of `interface.REMEMBERED`, `[games, 78]` bool.

    Args:
        graph: Grows.
        memory: Of all kinds.
        num_steps: `[games]` int64: of the whole episode.
    """
    names = state_columns(kind for kind in memory if kind != "step")
    bits = _bits(graph, memory).columns(names.index(name) for kind in REMEMBERED for name in _seen_columns(kind))
    tenths = graph.constant(np.arange(1, NUM_TENTHS))
    has_passed = memory["step"] * graph.constant(np.array(NUM_TENTHS)) >= num_steps.as_column() * tenths
    return graph.beside([bits, has_passed])  # the time comes last


def _seen_columns(kind: str) -> Iterable[str]:
    """Return the names of the state's columns that the policy sees of a kind, in its order."""
    if kind == "time":
        return ()
    about: Iterable[str] = COLUMNS[kind]
    if COLUMNS[kind] is HOST_NAMES:
        about = (HOST_NAMES[host] for host in HOSTS_THAT_MATTER)
    elif COLUMNS[kind] is _PORT_NAMES:
        about = (
            f"{HOST_NAMES[host]}:{DECOYS[decoy].port}" for host in range(NUM_HOSTS) for decoy in DECOYS_OF_HOST[host]
        )
    return (f"{kind} {each}".strip() for each in about)


def merged_ids(graph: Graph, faked: Value) -> Value:
    """Return what each of the merged actions is in each game now, `[games, 31]` int64: an id of CybORG's.

    `faked` is the memory's, `[games, ports]` bool.

    The next decoy of a host is the first that doesn't stand. So its id is that of the first of all, and for each that
    stands, with all before it, it goes on by the difference to the one after; the last has none after it.
    """
    first_ids = MERGED.copy()
    longest = max(map(len, DECOYS_OF_HOST))
    columns = np.zeros((longest - 1, len(MERGED)), np.int64)  # of `faked`
    differences = np.zeros_like(columns)
    for choice, merged in enumerate(MERGED.tolist()):
        if merged <= NEXT_DECOY:
            host = NEXT_DECOY - merged
            kinds = DECOYS_OF_HOST[host]
            first_ids[choice] = _decoy(host, kinds[0])
            for place, (kind, after) in enumerate(pairwise(kinds)):
                columns[place, choice] = _faked(host, DECOYS[kind].port)
                differences[place, choice] = _decoy(host, after) - _decoy(host, kind)
    ids = graph.constant(first_ids)
    all_stand = accumulate((faked.columns(place) for place in columns.tolist()), and_)
    for stand, difference in zip(all_stand, differences, strict=True):
        ids += stand.astype("int64") * graph.constant(difference)
    return ids


def packed(graph: Graph, memory: Memory) -> Value:
    """Return the state that says what is remembered: `[games, columns]` int64, see `state_columns`."""
    bits = _bits(graph, memory).astype("int64")
    return graph.beside([memory["step"], bits]) if "step" in memory else bits


def _unpacked(state: Value, kinds: Iterable[str]) -> Memory:
    memory, start, bits = {}, 0, state.astype("bool")
    for kind in kinds:
        end = start + len(COLUMNS[kind])
        memory[kind] = (state if kind == "step" else bits).columns(range(start, end))
        start = end
    return memory


def _bits(graph: Graph, memory: Memory) -> Value:
    return graph.beside(value for kind, value in memory.items() if kind != "step")


def _where(condition: Value, value: Value, other: Value) -> Value:
    """Return bits of one value where a condition holds, of the other elsewhere."""
    return (condition & value) | (~condition & other)
