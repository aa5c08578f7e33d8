"""`B_lineAgent`: a script from a User host to the OT service."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.cage2.engine.mersenne import draw_below
from pipeline.cage2.engine.red import ESCALATE, EXPLOIT, IMPACT, SCAN, SWEEP
from pipeline.cage2.engine.tables import ENTERPRISE, USER
from pipeline.cage2.facts.spec import HOST_NAMES, HOSTS, OP_SERVER_INDEX, SUBNETS
from pipeline.numerics.compiled import compiled, int64

_OWN_USER, _LINKED_ENTERPRISE = -1, -2
"""Targets that depend on the User host that Red has chosen."""
_ENTERPRISE2 = HOST_NAMES.index("Enterprise2")

_SCRIPT = (
    # action, target, and where it goes on if the action fails
    (SWEEP, USER, 0),
    (SCAN, _OWN_USER, 1),
    (EXPLOIT, _OWN_USER, 2),
    (ESCALATE, _OWN_USER, 2),
    (SCAN, _LINKED_ENTERPRISE, 2),
    (EXPLOIT, _LINKED_ENTERPRISE, 2),
    (ESCALATE, _LINKED_ENTERPRISE, 5),
    (SWEEP, ENTERPRISE, 5),
    (SCAN, _ENTERPRISE2, 5),
    (EXPLOIT, _ENTERPRISE2, 5),
    (ESCALATE, _ENTERPRISE2, 9),
    (SCAN, OP_SERVER_INDEX, 9),
    (EXPLOIT, OP_SERVER_INDEX, 9),
    (ESCALATE, OP_SERVER_INDEX, 12),
    (IMPACT, OP_SERVER_INDEX, 13),
)
SCRIPT_ACTION = np.array([action for action, _, _ in _SCRIPT])
SCRIPT_TARGET = np.array([target for _, target, _ in _SCRIPT])
SCRIPT_RETREAT = np.array([retreat for _, _, retreat in _SCRIPT])
LAST_PLACE = len(_SCRIPT) - 1
FIRST_SCAN = 1
OP_SERVER_EXPLOIT = 12

USERS = np.array([host for host in SUBNETS[USER].hosts if HOSTS[host].linked_host is not None])
"""`[4]`: the hosts that B_line chooses its own from."""
NUM_USERS = int64(len(USERS))
USER_BITS = int64(len(USERS).bit_length())
LINKED_HOST = np.array([-1 if host.linked_host is None else host.linked_host for host in HOSTS])
"""`[13]`: the host that each host leads to, -1 for none."""


@compiled
def reset(game: Any) -> None:
    """Forget the last episode."""
    game.script_index = 0
    game.script_seen = 0
    game.script_user = 0


@compiled
def choose(game: Any) -> tuple[int, int]:
    """Go one place on in the script after a success, back after a failure; return its action and target.

    Pitfalls: the script starts as after a failure. Before the first exploit of Op_Server0, a scan that listed nothing
    sends Red back to the scan of its User host, since that turn is judged twice by the same success; after it, never
    again. Places are executed with the hosts that they had the first time.
    """
    place = min(game.script_index + 1, LAST_PLACE) if game.red_success else SCRIPT_RETREAT[game.script_index]
    if place == OP_SERVER_EXPLOIT and not (game.script_seen >> place) & 1 and not game.red_listing:
        place = FIRST_SCAN
    if place == FIRST_SCAN and not (game.script_seen >> place) & 1:
        game.script_user = USERS[draw_below(game, NUM_USERS, USER_BITS)]
    game.script_index = place
    game.script_seen |= 1 << place
    target = SCRIPT_TARGET[place]
    if target == _OWN_USER:
        target = game.script_user
    elif target == _LINKED_ENTERPRISE:
        target = LINKED_HOST[game.script_user]
    return SCRIPT_ACTION[place], target
