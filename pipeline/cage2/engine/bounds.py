"""What every number of a game lies between: one table, beside that of its memory (`state.GAME`).

For games that come from outside. Compiled code follows the indices in a game wherever they point; within these bounds,
they point into it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np

from pipeline.cage2.engine import blue, red
from pipeline.cage2.engine.agents import b_line
from pipeline.cage2.engine.mersenne import NUM_WORDS, UPPER_MASK
from pipeline.cage2.engine.state import ATTRIBUTE, DECOYS, GAME, PID_MASK, SESSIONS, SUSPECTS
from pipeline.cage2.engine.tables import NUM_DECOYS, NUM_EXPLOITS, NUM_PORT_SETS, STARTING_HOSTS
from pipeline.cage2.facts import spec, table
from pipeline.cage2.facts.names import Observation, Profile

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.cage2.engine.state import Games, Lists

MAX_STEPS = 1 << 20
"""Of a game that is saved: what its lists would take then is 164 MB."""

_FLAG = (0, 1)
_HOST, _HOST_OR_NONE, _HOSTS = (0, spec.NUM_HOSTS - 1), (-1, spec.NUM_HOSTS - 1), (0, (1 << spec.NUM_HOSTS) - 1)
_SUBNETS = (0, (1 << len(spec.SUBNETS)) - 1)
_PORT_SET = (0, NUM_PORT_SETS - 1)
_LENGTH = (0, MAX_STEPS + 1)
_NUM_STARTING_PIDS = np.bincount(STARTING_HOSTS, minlength=spec.NUM_HOSTS)
_MAX_COST = sum(spec.CONFIDENTIALITY_TENTHS) + spec.OT_SERVICE_DOWN_TENTHS + spec.RESTORE_TENTHS

BOUNDS: dict[str, tuple[npt.ArrayLike, npt.ArrayLike]] = {
    "red_agent": (0, len(spec.RED_AGENTS) - 1),
    "profile": (0, len(get_args(Profile)) - 1),
    "table_kind": (0, len(get_args(Observation)) - 1),
    "num_steps": (0, MAX_STEPS),
    "num_sessions": _LENGTH,
    "num_decoys": _LENGTH,
    "num_suspects": _LENGTH,
    "red_hosts": _HOSTS,
    "privileged_hosts": _HOSTS,
    "infected_hosts": _HOSTS,
    "patched_hosts": _HOSTS,
    "decoy_kinds": (0, (1 << NUM_DECOYS) - 1),
    "listening": _PORT_SET,
    "decoy_pid": (-1, spec.PID_LIMIT - 1),
    "address_order": (0, (1 << (4 * spec.NUM_HOSTS)) - 1),
    "num_starting_pids": (_NUM_STARTING_PIDS, _NUM_STARTING_PIDS),
    "starting_pids": (0, spec.PID_LIMIT - 1),
    "ot_running": _FLAG,
    "ot_active": _FLAG,
    "ot_on_record": _FLAG,
    "known_subnets": _SUBNETS,
    "known_addresses": _HOSTS,
    "known_names": _HOSTS,
    "port_memory": _PORT_SET,
    "ot_known": _FLAG,
    "red_success": _FLAG,
    "red_listing": _FLAG,
    "script_index": (0, b_line.LAST_PLACE),
    "script_seen": (0, (1 << (b_line.LAST_PLACE + 1)) - 1),
    "script_user": _HOST,
    "swept": _SUBNETS,
    "scanned": _HOSTS,
    "exploited": _HOSTS,
    "escalated": _HOSTS,
    "mapped": _HOSTS,
    "last_exploit": _HOST_OR_NONE,
    "last_escalation": _HOST_OR_NONE,
    "blue_action": (0, spec.NUM_ACTIONS - 1),
    "blue_success": (blue.FAILURE, blue.NO_SUCCESS),
    "found_malware": _FLAG,
    "red_action": (0, len(red.ACTIONS) - 1),
    "red_target": _HOST_OR_NONE,
    "red_exploit": (-1, NUM_EXPLOITS - 1),
    "new_decoy_host": _HOST_OR_NONE,
    "event_host": _HOST_OR_NONE,
    "num_events": (0, 2 * MAX_STEPS),
    "event_ports": _PORT_SET,
    "shell_pid": (-1, spec.PID_LIMIT - 1),
    "condition": (0, len(table.CONDITIONS) - 1),
    "activity": (0, len(table.ACTIVITIES) - 1),
    "reward": (-_MAX_COST, 0),
    "word_index": (0, NUM_WORDS),
    "observation": (0, 1),
}
"""The lowest and the highest value of each field of `state.GAME`. `words` and `used_ports` may be any bits."""

MAX_ATTRIBUTE = {int(SESSIONS): 1, int(DECOYS): NUM_DECOYS - 1, int(SUSPECTS): 0}
"""Of the entries of each list."""


def list_lengths(games: Games) -> npt.NDArray[np.int64]:
    """Return how long each list is, `[n, 3, 13]`."""
    return np.stack([games["num_sessions"], games["num_decoys"], games["num_suspects"]], axis=1)


def _extremes() -> npt.NDArray[np.int64]:
    """Return the lowest and the highest game, `[2, n]`: all that lies before the generator's words, as int64."""
    extremes = np.zeros(2, dtype=GAME)
    for name, bounds in BOUNDS.items():
        extremes[name][0], extremes[name][1] = bounds
    words = _as_int64(extremes).copy()
    bits = slice(_offset("observation") // 8, _offset("reward") // 8)  # bytes, looked at one by one
    words[0, bits], words[1, bits] = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    return words


def _offset(name: str) -> int:
    assert GAME.fields is not None  # noqa: S101 - for mypy
    return int(GAME.fields[name][1])


def _as_int64(games: Games) -> npt.NDArray[np.int64]:
    return games.view(np.int64).reshape(len(games), -1)[:, : _offset("words") // 8]


_LOWEST, _HIGHEST = _extremes()
_ORDERS = np.array(
    [
        sum(host << (4 * place) for place, host in enumerate([first, *range(first), *range(first + 1, spec.NUM_HOSTS)]))
        for first in range(spec.NUM_HOSTS)
    ]
)
"""`[13]`: the values of `address_order`."""
_AIMS = np.array([[target in targets for target in range(-1, spec.NUM_HOSTS)] for targets in red.TARGETS])
"""`[6, 14]`: whether an action of Red's can have each target, from -1 on."""


def find_fault(games: Games) -> str | None:
    """Return in words what no game has, of `[n]`; None if there is nothing of that kind."""
    numbers = _as_int64(games)
    if ((numbers < _LOWEST) | (numbers > _HIGHEST)).any() or (games["observation"] & ~1).any():
        for name, (low, high) in BOUNDS.items():
            values = games[name]
            outside = (values < np.asarray(low)) | (values > np.asarray(high))
            if outside.any():
                return f"no game has a {name} of {values[outside][0]}"
    longest = list_lengths(games).max(axis=(1, 2))
    has_no_user = ~np.isin(games["script_user"], b_line.USERS)
    words = games["words"]
    for what, wrong in (
        ("a list grows by one entry a step at most", longest > games["num_steps"] + 1),
        ("Red lists its addresses in another order", ~np.isin(games["address_order"], _ORDERS)),
        ("Red's action can't have that target", ~_AIMS[games["red_action"], games["red_target"] + 1]),
        (
            "B_line has no User host",
            has_no_user & ((games["script_index"] > 0) | (games["script_seen"] >> b_line.FIRST_SCAN > 0)),
        ),
        ("its generator gives zeros for ever", ~((words[:, 0] & UPPER_MASK).astype(bool) | words[:, 1:].any(axis=1))),
    ):
        if wrong.any():
            return what
    return None


def find_fault_of_lists(lists: Lists, in_use: npt.NDArray[np.bool_]) -> str | None:
    """Return in words what no list of a game has; None if there is nothing of that kind.

    Args:
        lists: `[n, 3, 13, room]`, zero where no entry is.
        in_use: `[n, 3, 13, room]`, where one is.
    """
    pids = (lists & PID_MASK)[in_use]
    if ((pids < 1) | (pids >= spec.PID_LIMIT)).any():
        return f"a process id is not 1 to {spec.PID_LIMIT - 1}"
    for which, highest in MAX_ATTRIBUTE.items():
        attributes = lists[:, which] // ATTRIBUTE
        if ((attributes < 0) | (attributes > highest)).any():
            return f"an entry of list {which} is of a kind that there is not"
    return None
