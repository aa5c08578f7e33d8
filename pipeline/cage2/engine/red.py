"""Red's actions, named as CybORG names them. All come from Red's first session, on User0.

Whoever chooses for Red, `carry_out` acts. Each action leaves in the game whether it succeeded (`red_success`), and what
Blue will be told: events at one host, each with a local port, some with a remote one. Ephemeral ports are drawn for
their own sake, since nobody looks at the number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.engine.mersenne import draw_below, draw_uniform
from pipeline.cage2.engine.network import (
    PRIVILEGED,
    RED_FOOTHOLD,
    UNPRIVILEGED,
    add_session,
    draw_ephemeral_port,
    draw_pid,
    is_reachable,
)
from pipeline.cage2.engine.state import ATTRIBUTE, LEADERBOARD, SESSIONS
from pipeline.cage2.engine.tables import (
    BASE_VICTIM,
    DECOY_VICTIM,
    DECOYS_FOR_EXPLOIT,
    EXPLOIT_PORT,
    GUESSABLE_HOSTS,
    HARAKA_RCE,
    HEAVIEST_OPTION,
    HOSTS_OF_SUBNET,
    NO_VICTIM,
    NUM_BASE_LISTENERS,
    NUM_EXPLOITS,
    NUM_OPTIONS,
    OPTIONS_OF_PORTS,
    PRIVILEGED_VICTIM,
    REVEALED_HOSTS,
    REVEALED_SUBNETS,
    SSH_BRUTE_FORCE,
)
from pipeline.cage2.facts.spec import (
    DETECTION_PROBABILITY,
    NUM_HOSTS,
    OP_SERVER_INDEX,
    PREFERRED_EXPLOIT_PROBABILITY,
    SUBNETS,
)
from pipeline.numerics.compiled import compiled, int64

if TYPE_CHECKING:
    from pipeline.cage2.engine.state import Lists

ACTIONS = (
    "Sleep",
    "DiscoverRemoteSystems",
    "DiscoverNetworkServices",
    "ExploitRemoteService",
    "PrivilegeEscalate",
    "Impact",
)
SLEEP, SWEEP, SCAN, EXPLOIT, ESCALATE, IMPACT = range(6)
"""Red's actions, by their place in `ACTIONS`."""
NO_TARGET = -1
"""Of an action that is aimed at nothing."""
TARGETS = (
    range(NO_TARGET, NO_TARGET + 1),
    range(len(SUBNETS)),
    range(NUM_HOSTS),
    range(NUM_HOSTS),
    range(NUM_HOSTS),
    range(OP_SERVER_INDEX, OP_SERVER_INDEX + 1),
)
"""What each action can be aimed at: places of subnets, indices of hosts."""

NUM_PASSWORD_GUESSES = 10
"""Connections that SSH brute force fails with before the one that succeeds."""


@compiled
def carry_out(game: Any, lists: Lists, action: int, target: int) -> None:
    """Carry out an action, by its place in `ACTIONS`, on one of its `TARGETS`, whoever chose it.

    Pitfall: Sleep neither succeeds nor fails, and what has not succeeded is a failure to Red's agents.
    """
    forget_action(game)
    game.red_action = action
    game.red_target = target
    if action == SCAN:
        discover_network_services(game, target)
    elif action == EXPLOIT:
        exploit_remote_service(game, lists, target)
    elif action == ESCALATE:
        privilege_escalate(game, lists, target)
    elif action == SWEEP:
        discover_remote_systems(game, target)
    elif action == IMPACT:
        impact(game)


@compiled
def forget_action(game: Any) -> None:
    """Clear what the last action left: how it ended, and what Blue was told of it."""
    game.red_action = SLEEP
    game.red_target = NO_TARGET
    game.red_success = 0
    game.red_listing = 0
    game.red_exploit = -1
    game.event_host = -1
    game.num_events = 0
    game.event_ports = 0
    game.shell_pid = -1


@compiled
def discover_remote_systems(game: Any, subnet: int) -> None:
    """`DiscoverRemoteSystems`: learn the addresses of a subnet."""
    hosts = HOSTS_OF_SUBNET[subnet]
    if is_reachable(game, hosts):
        game.known_addresses |= hosts
        game.known_subnets |= 1 << subnet
        game.red_success = 1


@compiled
def discover_network_services(game: Any, host: int) -> None:
    """`DiscoverNetworkServices`: scan a host's ports.

    Pitfalls: scanning an unreachable host succeeds and finds nothing, not even that there is nothing. Decoys are found
    as services are, Red's own sessions are not. What was found is remembered until the next scan, whatever Blue does;
    at the time of the leaderboard it was remembered for ever.
    """
    game.red_success = 1
    if not is_reachable(game, 1 << host):
        return
    game.red_listing = 1
    num_listeners = NUM_BASE_LISTENERS[host] + game.num_decoys[host]
    for _ in range(num_listeners):
        draw_ephemeral_port(game, host)
    game.event_host = host
    game.num_events = num_listeners
    game.event_ports = game.listening[host]
    if game.profile == LEADERBOARD:
        game.port_memory[host] |= game.listening[host]
    else:
        game.port_memory[host] = game.listening[host]


@compiled
def exploit_remote_service(game: Any, lists: Lists, host: int) -> None:
    """`ExploitRemoteService`: choose an exploit by the ports that Red remembers, and try it.

    Pitfall: the memory may be outdated; an exploit aimed at a service that is gone fails without a trace, and so do
    those that never had a victim (EternalBlue on Enterprise1 and Enterprise2, BlueKeep on User3).
    """
    options = OPTIONS_OF_PORTS[game.port_memory[host]]
    if options == 0:
        return
    exploit = choose_exploit(game, options)
    game.red_exploit = exploit
    if not is_reachable(game, 1 << host):
        return
    victim = find_victim(game, host, exploit)
    if victim == NO_VICTIM:
        return
    game.event_host = host
    game.event_ports = EXPLOIT_PORT[exploit]
    if exploit == SSH_BRUTE_FORCE:
        ssh_brute_force(game, lists, host, victim)
    else:
        reverse_shell(game, lists, host, victim, exploit)
    if game.red_success:
        game.known_names |= 1 << host


@compiled
def choose_exploit(game: Any, options: int) -> int:
    """Choose among a set of exploits: the heaviest with probability 0.75, else any other.

    Pitfall: both numbers are drawn, the other exploit's first, unless there is nothing to choose.
    """
    top: int = HEAVIEST_OPTION[options]
    if NUM_OPTIONS[options] == 1:
        return top
    others = options & ~(1 << top)
    skip = int64(draw_uniform(game) * NUM_OPTIONS[others])
    if draw_uniform(game) < PREFERRED_EXPLOIT_PROBABILITY:
        return top
    for other in range(NUM_EXPLOITS):
        if (others >> other) & 1:
            if skip == 0:
                return other
            skip -= 1
    return top


@compiled
def find_victim(game: Any, host: int, exploit: int) -> int:
    """Return what the exploit finds: the host's own process before any decoy of the same type at the same port."""
    victim: int = BASE_VICTIM[host, exploit]
    if victim == NO_VICTIM and game.decoy_kinds[host] & DECOYS_FOR_EXPLOIT[exploit]:
        victim = DECOY_VICTIM
    return victim


@compiled
def reverse_shell(game: Any, lists: Lists, host: int, victim: int, exploit: int) -> None:
    """All exploits but SSH brute force: get a session that connects back.

    Pitfalls: the session has the victim's privilege. The attack itself is always seen, but the shell's own connection,
    and so its process, in 95 % only. At the time of the leaderboard Haraka was immune once its host had been restored.
    """
    draw_ephemeral_port(game, host)
    if victim == DECOY_VICTIM:
        game.num_events = 2
        return
    game.num_events = 1
    if game.profile == LEADERBOARD and exploit == HARAKA_RCE and (game.patched_hosts >> host) & 1:
        return
    draw_ephemeral_port(game, host)
    game.infected_hosts |= 1 << host
    pid = draw_pid(game, lists, host)
    add_session(game, lists, host, pid, PRIVILEGED if victim == PRIVILEGED_VICTIM else UNPRIVILEGED)
    if draw_uniform(game) < DETECTION_PROBABILITY:
        game.num_events = 2
        game.shell_pid = pid
    game.red_success = 1


@compiled
def ssh_brute_force(game: Any, lists: Lists, host: int, victim: int) -> None:
    """`SSHBruteForce`: guess a password.

    Pitfalls: the ports of the ten failures are drawn among those of User0, the attacker, so its Restore changes later
    draws. Defender has no password to guess, but looks exploited. The session is never privileged, leaves no file, and
    its process is never told to Blue.
    """
    for _ in range(NUM_PASSWORD_GUESSES):
        draw_ephemeral_port(game, RED_FOOTHOLD)
    game.num_events = NUM_PASSWORD_GUESSES
    if not (GUESSABLE_HOSTS >> host) & 1 or victim == DECOY_VICTIM:
        return
    add_session(game, lists, host, draw_pid(game, lists, host), UNPRIVILEGED)
    draw_ephemeral_port(game, host)
    game.num_events += 1
    game.red_success = 1


@compiled
def privilege_escalate(game: Any, lists: Lists, host: int) -> None:
    """`PrivilegeEscalate`: make a session on the host privileged, and look around.

    Pitfall: if one is privileged already, nothing is drawn and no file left.
    """
    num_sessions = game.num_sessions[host]
    if num_sessions == 0:
        return
    if not (game.privileged_hosts >> host) & 1:
        place = draw_place(game, num_sessions)
        lists[SESSIONS, host, place] |= ATTRIBUTE
        game.privileged_hosts |= 1 << host
        game.infected_hosts |= 1 << host
    game.red_success = 1
    game.known_addresses |= REVEALED_HOSTS[host]
    game.known_subnets |= REVEALED_SUBNETS[host]
    if host == OP_SERVER_INDEX:
        game.ot_known = 1


@compiled
def impact(game: Any) -> None:
    """`Impact`: stop the OT service on Op_Server0.

    Pitfalls: any session will do, once Red has seen the service. The process is stopped only if the service has it on
    record, which no restored one has; success is reported in every case.
    """
    num_sessions = game.num_sessions[OP_SERVER_INDEX]
    if num_sessions == 0:
        return
    if not (game.privileged_hosts >> OP_SERVER_INDEX) & 1:
        draw_place(game, num_sessions)
    if not game.ot_known:
        return
    game.red_success = 1
    if game.ot_active:
        game.ot_active = 0
        if game.ot_on_record:
            game.ot_running = 0


@compiled
def draw_place(game: Any, length: int) -> int:
    """Draw a place in a list of any length."""
    num_bits = 1
    while length >> num_bits:
        num_bits += 1
    return draw_below(game, length, num_bits)
