"""What Blue sees: a table of what it knows of each host, and the same as a vector of 52 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.engine.state import CORRECTED, SUSPECTS
from pipeline.cage2.facts import table
from pipeline.cage2.facts.spec import ANALYSE, BITS_PER_HOST, DECOY, NUM_HOSTS, REMOVE, RESTORE
from pipeline.cage2.facts.table import EXPLOIT, NO, NONE, PRIVILEGED, SCAN, UNKNOWN, USER
from pipeline.numerics.compiled import compiled

if TYPE_CHECKING:
    from pipeline.cage2.engine.state import Lists

ACTIVITY_BITS = np.array(table.ACTIVITY_BITS, dtype=np.int8)
CONDITION_BITS = np.array(table.CONDITION_BITS, dtype=np.int8)


@compiled
def monitor(game: Any, lists: Lists) -> None:
    """`Monitor`, which Blue gets for free at the end of a step: suspect the process of a shell that was seen."""
    if game.shell_pid >= 0:
        host = game.event_host
        lists[SUSPECTS, host, game.num_suspects[host]] = game.shell_pid
        game.num_suspects[host] += 1


@compiled
def update_table(game: Any) -> None:
    """Bring the table up to date after a step: Blue's action first, then Red's events, then what Analyse found.

    Pitfalls: Remove turns anything but No into Unknown, whatever it achieved. An exploit is User, even where the table
    said Privileged.
    """
    action = game.blue_action
    if action >= RESTORE:
        game.condition[action - RESTORE] = NO
    elif REMOVE <= action < DECOY and game.condition[action - REMOVE] != NO:
        game.condition[action - REMOVE] = UNKNOWN
    game.activity = judge_events(game)
    if game.activity == EXPLOIT:
        game.condition[game.event_host] = USER
    if game.found_malware:
        game.condition[action - ANALYSE] = PRIVILEGED


@compiled
def judge_events(game: Any) -> int:
    """Return what Blue makes of the events at `event_host`: NONE, SCAN or EXPLOIT.

    Pitfalls: a decoy that was deployed on the host in the same step counts as a record, the first. It makes the two
    events of an attack on a decoy an exploit, and hides what would be a scan, unless the table is the corrected one.
    """
    if game.event_host < 0:
        return NONE
    is_after_decoy = game.new_decoy_host == game.event_host
    num_records = game.num_events + is_after_decoy
    ports = game.event_ports
    has_two_ports = ports & (ports - 1)
    has_three_ports = has_two_ports & (has_two_ports - 1)
    if num_records >= 3 and has_three_ports:
        return SCAN
    if game.shell_pid >= 0:
        return EXPLOIT
    if num_records >= 3 and not has_two_ports:
        return EXPLOIT
    if is_after_decoy and game.table_kind != CORRECTED:
        return NONE
    return SCAN


@compiled
def write_observation(game: Any) -> None:
    """Write the table as a vector: per host two bits of activity, two of how far it is compromised."""
    observation = game.observation
    for host in range(NUM_HOSTS):
        activity = game.activity if host == game.event_host else NONE
        condition = game.condition[host]
        observation[BITS_PER_HOST * host + 0] = ACTIVITY_BITS[activity, 0]
        observation[BITS_PER_HOST * host + 1] = ACTIVITY_BITS[activity, 1]
        observation[BITS_PER_HOST * host + 2] = CONDITION_BITS[condition, 0]
        observation[BITS_PER_HOST * host + 3] = CONDITION_BITS[condition, 1]


@compiled
def reset_table(game: Any) -> None:
    """Know nothing of any host."""
    game.condition[:] = NO
    game.activity = NONE
    game.observation[:] = 0
