"""Red's agents, named as CybORG names them. Each chooses its action by the outcome of its last, and carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.engine.mersenne import draw_below, shuffle_hosts
from pipeline.cage2.engine.red import (
    ESCALATE,
    EXPLOIT,
    IMPACT,
    SCAN,
    SLEEP,
    SWEEP,
    discover_network_services,
    discover_remote_systems,
    exploit_remote_service,
    impact,
    privilege_escalate,
)
from pipeline.cage2.engine.tables import (
    ENTERPRISE,
    ENTERPRISE_HOSTS,
    OPERATIONAL_HOSTS,
    USER,
)
from pipeline.cage2.facts.spec import HOST_NAMES, HOSTS, NUM_HOSTS, OP_SERVER_INDEX, RED_AGENTS, SUBNETS
from pipeline.numerics.compiled import compiled, int64

if TYPE_CHECKING:
    from pipeline.cage2.engine.state import Lists

B_LINE = RED_AGENTS.index("B_lineAgent")
MEANDER = RED_AGENTS.index("RedMeanderAgent")
ASLEEP = RED_AGENTS.index("SleepAgent")
NUM_SUBNETS = len(SUBNETS)


@compiled
def reset_agent(game: Any) -> None:
    """Forget the last episode."""
    game.script_index = 0
    game.script_seen = 0
    game.script_user = 0
    game.swept = 0
    game.scanned = 0
    game.exploited = 0
    game.escalated = 0
    game.mapped = 0
    game.last_exploit = -1
    game.last_escalation = -1


@compiled
def play(game: Any, lists: Lists) -> None:
    """Let Red choose its action and carry it out."""
    agent = game.red_agent
    if agent == B_LINE:
        b_line_agent(game, lists)
    elif agent == MEANDER:
        red_meander_agent(game, lists)
    else:
        sleep_agent(game)


@compiled
def forget_step(game: Any) -> None:
    """Clear what the last step left: Red's action, and what Blue was told of it."""
    game.red_action = SLEEP
    game.red_target = -1
    game.red_exploit = -1
    game.red_listing = 0
    game.event_host = -1
    game.num_events = 0
    game.event_ports = 0
    game.shell_pid = -1


@compiled
def sleep_agent(game: Any) -> None:
    """`SleepAgent`: do nothing, and draw nothing."""
    forget_step(game)


# B_lineAgent ------------------------------------------------------------------------------------------------

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
def b_line_agent(game: Any, lists: Lists) -> None:
    """`B_lineAgent`: a script from a User host to the OT service, one place on after a success, back after a failure.

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
    forget_step(game)
    action = SCRIPT_ACTION[place]
    if action == SCAN:
        discover_network_services(game, target)
    elif action == EXPLOIT:
        exploit_remote_service(game, lists, target)
    elif action == ESCALATE:
        privilege_escalate(game, lists, target)
    elif action == SWEEP:
        discover_remote_systems(game, target)
    else:
        impact(game)


# RedMeanderAgent --------------------------------------------------------------------------------------------


@compiled
def red_meander_agent(game: Any, lists: Lists) -> None:
    """`RedMeanderAgent`: sweep all, scan all, escalate all, exploit all, in random order; Impact as soon as it can.

    Pitfalls: both shuffles cover all 13 hosts, known or not. Escalation and exploits include its own User0. A subnet
    counts as swept and a host as scanned whatever came of it. It never runs out of options, since Defender resists.
    """
    judge_last_action(game)
    forget_step(game)
    if (game.escalated >> OP_SERVER_INDEX) & 1:
        game.last_escalation = OP_SERVER_INDEX
        impact(game)
        return
    for subnet in range(NUM_SUBNETS):
        if ((game.known_subnets & ~game.swept) >> subnet) & 1:
            game.swept |= 1 << subnet
            discover_remote_systems(game, subnet)
            return
    addresses = shuffle_hosts(game)
    host = first_host(addresses, game.known_addresses & ~game.scanned)
    if host >= 0:
        game.scanned |= 1 << host
        discover_network_services(game, host)
        return
    lost = game.mapped & ~game.exploited
    host = first_host(shuffle_hosts(game), game.known_names & ~game.escalated & ~lost)
    if host >= 0:
        game.escalated |= 1 << host
        game.last_escalation = host
        privilege_escalate(game, lists, host)
        return
    host = first_host(addresses, game.known_addresses & ~game.exploited)
    game.exploited |= 1 << host
    game.last_exploit = host
    exploit_remote_service(game, lists, host)


@compiled
def judge_last_action(game: Any) -> None:
    """Draw Meander's conclusions from the outcome of its last exploit or escalation.

    Pitfall: any failed exploit counts as a lost foothold: it gives up all Operational hosts that it holds or, if it
    holds none, all Enterprise hosts.
    """
    if game.last_exploit >= 0:
        exploited = 1 << game.last_exploit
        if game.red_success:
            game.mapped |= exploited
        else:
            game.exploited &= ~exploited
            lost = game.escalated & OPERATIONAL_HOSTS
            if lost == 0:
                lost = game.escalated & ENTERPRISE_HOSTS
            game.escalated &= ~lost
            game.exploited &= ~lost
        game.last_exploit = -1
    if game.last_escalation >= 0:
        if not game.red_success:
            escalated = 1 << game.last_escalation
            game.escalated &= ~escalated
            game.exploited &= ~(escalated & game.mapped)
        game.last_escalation = -1


@compiled
def first_host(order: int, hosts: int) -> int:
    """Return the first host of a shuffled order (`mersenne.shuffle_hosts`) that is in a set, -1 for none."""
    if hosts == 0:
        return -1
    for _ in range(NUM_HOSTS):
        host = order & 15
        if (hosts >> host) & 1:
            return host
        order >>= 4
    return -1
