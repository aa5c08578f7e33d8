"""The network's own rules: how it comes to be, what its hosts number, and Red's sessions and Blue's decoys on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.engine.mersenne import HOST_ORDER, draw_below, draw_only
from pipeline.cage2.engine.state import ATTRIBUTE, DECOYS, PID_MASK, SESSIONS
from pipeline.cage2.engine.tables import (
    BASE_PIDS,
    BASE_PORTS,
    CLOSED_HOSTS,
    DECOY_PORT,
    ENTERPRISE_HOSTS,
    MEMBERS_OF_SUBNET,
    NUM_BASE_PIDS,
    NUM_DECOYS,
    NUM_HOSTS_OF_SUBNET,
    OT_PID,
    RECORDED_PLACE,
    RECORDED_RANGE,
    STARTING_HOSTS,
    USER,
)
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.spec import NUM_ADDRESSES, NUM_HOSTS, OP_SERVER_INDEX
from pipeline.numerics.compiled import compiled, int64

if TYPE_CHECKING:
    from pipeline.cage2.engine.state import Lists

PID_LIMIT = int64(spec.PID_LIMIT)
PID_BITS = int64(spec.PID_LIMIT.bit_length())
NUM_PORTS = int64(spec.NUM_EPHEMERAL_PORTS)
PORT_BITS = int64(spec.NUM_EPHEMERAL_PORTS.bit_length())

NUM_RANGES = int64(spec.NUM_RANGES)
RANGE_BITS = int64(spec.NUM_RANGES.bit_length())
ADDRESS_BITS = int64(spec.NUM_ADDRESSES.bit_length())
"""Of every limit from `NUM_ADDRESSES` down to 10."""

RED_FOOTHOLD = int64(spec.RED_FOOTHOLD_INDEX)
UNPRIVILEGED, PRIVILEGED = int64(0), int64(1)
"""A session's account, or root or SYSTEM."""


@compiled
def draw_network(game: Any, lists: Lists) -> None:
    """Draw a fresh network, as building CybORG, wrapping it and each reset do.

    Pitfall: the number of draws for process ids depends on the ids that a host already has.
    """
    game.address_order = HOST_ORDER
    first = draw_below(game, NUM_RANGES, RANGE_BITS)
    second = draw_below(game, NUM_RANGES, RANGE_BITS)
    while second == first:
        second = draw_below(game, NUM_RANGES, RANGE_BITS)
    third = draw_below(game, NUM_RANGES, RANGE_BITS)
    while third in (first, second):
        third = draw_below(game, NUM_RANGES, RANGE_BITS)
    ranges = (first, second, third)
    for subnet in range(len(NUM_HOSTS_OF_SUBNET)):
        draw_addresses(game, subnet, ranges[subnet])
    game.num_starting_pids[:] = 0
    for place in range(len(STARTING_HOSTS)):
        host = STARTING_HOSTS[place]
        pid = draw_pid(game, lists, host)
        game.starting_pids[host, game.num_starting_pids[host]] = pid
        game.num_starting_pids[host] += 1


@compiled
def draw_addresses(game: Any, subnet: int, address_range: int) -> None:
    """Draw the addresses of a subnet's hosts, as `random.sample` does.

    Pitfall: what they are means nothing, but for one. A process of Defender has an address that isn't of this game
    (`images.RECORDED_ADDRESS`), and what a reset tells Red begins with Defender's processes. That address is struck out
    again, unless a host happens to have drawn it: then Red lists it before all others, and Meander shuffles that list.
    """
    draw_only(game)
    recorded = RECORDED_PLACE if address_range == RECORDED_RANGE else -1
    for taken in range(NUM_HOSTS_OF_SUBNET[subnet]):
        num_left = NUM_ADDRESSES - taken
        place = draw_below(game, num_left, ADDRESS_BITS)
        if place == recorded:
            game.address_order = put_first(MEMBERS_OF_SUBNET[subnet, taken])
            recorded = -1
        elif recorded == num_left - 1:  # the last one that is left takes the place of the one that was drawn
            recorded = place


@compiled
def put_first(host: int) -> int:
    """Return `mersenne.HOST_ORDER` with one host moved to its front."""
    before = (1 << (4 * host)) - 1
    behind = ~((16 << (4 * host)) - 1)
    return (HOST_ORDER & behind) | ((HOST_ORDER & before) << 4) | host


@compiled
def clear_network(game: Any) -> None:
    """Forget the last episode: no host has anything but its own processes."""
    game.num_steps = 0
    for host in range(NUM_HOSTS):
        game.listening[host] = BASE_PORTS[host]
    game.num_sessions[:] = 0
    game.num_decoys[:] = 0
    game.num_suspects[:] = 0
    game.red_hosts = 0
    game.privileged_hosts = 0
    game.infected_hosts = 0
    game.patched_hosts = 0
    game.decoy_kinds[:] = 0
    game.decoy_pid[:] = -1
    game.used_ports[:] = 0
    game.ot_running = 1
    game.ot_active = 1
    game.ot_on_record = 1
    game.known_subnets = 1 << USER
    game.known_addresses = 1 << RED_FOOTHOLD
    game.known_names = 1 << RED_FOOTHOLD
    game.port_memory[:] = 0
    game.ot_known = 0


@compiled
def place_red(game: Any, lists: Lists) -> None:
    """Give Red its session 0 on User0, in the process that the network drew last, and no other there.

    Pitfall: this session survives everything; Restore of User0 drops all the others.
    """
    pid = game.starting_pids[RED_FOOTHOLD, game.num_starting_pids[RED_FOOTHOLD] - 1]
    game.num_sessions[RED_FOOTHOLD] = 0
    add_session(game, lists, RED_FOOTHOLD, pid, PRIVILEGED)


# Numbers ----------------------------------------------------------------------------------------------------


@compiled
def draw_pid(game: Any, lists: Lists, host: int) -> int:
    """Draw a process id that no process on the host has.

    Pitfall: it is compared with every process, portless and duplicate ones of the host included; once stopped, the OT
    service's process frees its id.
    """
    pid = draw_below(game, PID_LIMIT, PID_BITS)
    while pid == 0 or pid_in_use(game, lists, host, pid):
        pid = draw_below(game, PID_LIMIT, PID_BITS)
    return pid


@compiled
def pid_in_use(game: Any, lists: Lists, host: int, pid: int) -> bool:
    """Return whether a process on the host has this id."""
    for i in range(NUM_BASE_PIDS[host]):
        if BASE_PIDS[host, i] == pid and (game.ot_running or host != OP_SERVER_INDEX or pid != OT_PID):
            return True
    for i in range(game.num_starting_pids[host]):
        if game.starting_pids[host, i] == pid:
            return True
    return find(lists, SESSIONS, host, game.num_sessions[host], pid) >= 0 or (
        find(lists, DECOYS, host, game.num_decoys[host], pid) >= 0
    )


@compiled
def draw_ephemeral_port(game: Any, host: int) -> int:
    """Draw a port of the host's ephemeral range, counted from its start, and mark it as used.

    Pitfall: a used one is drawn again once only; the second draw stands, used or not.
    """
    port = draw_below(game, NUM_PORTS, PORT_BITS)
    word = game.used_ports[host, port >> 5]
    if (word >> (port & 31)) & 1:
        port = draw_below(game, NUM_PORTS, PORT_BITS)
        word = game.used_ports[host, port >> 5]
    game.used_ports[host, port >> 5] = word | (1 << (port & 31))
    return port


# Lists ------------------------------------------------------------------------------------------------------


@compiled
def find(lists: Lists, which: int, host: int, length: int, pid: int) -> int:
    """Return the place of the entry with this process id in a list of the host, -1 if there is none."""
    for place in range(length):
        if lists[which, host, place] & PID_MASK == pid:
            return place
    return -1


@compiled
def delete(lists: Lists, which: int, host: int, length: int, place: int) -> None:
    """Delete an entry of a list; those behind it move up."""
    for i in range(place, length - 1):
        lists[which, host, i] = lists[which, host, i + 1]


@compiled
def add_session(game: Any, lists: Lists, host: int, pid: int, privileged: int) -> None:
    """Append a Red session, in a process of its own, to those of the host."""
    lists[SESSIONS, host, game.num_sessions[host]] = pid | privileged * ATTRIBUTE
    game.num_sessions[host] += 1
    game.red_hosts |= 1 << host
    game.privileged_hosts |= privileged << host


@compiled
def add_decoy(game: Any, lists: Lists, host: int, kind: int, pid: int) -> None:
    """Append a decoy's process to those of the host."""
    lists[DECOYS, host, game.num_decoys[host]] = pid | kind * ATTRIBUTE
    game.num_decoys[host] += 1
    game.decoy_kinds[host] |= 1 << kind
    game.listening[host] |= DECOY_PORT[kind]


@compiled
def count_decoys(game: Any, lists: Lists, host: int) -> None:
    """Work out anew which decoys stand on the host, and so which ports are listened on."""
    kinds = 0
    for place in range(game.num_decoys[host]):
        kinds |= 1 << (lists[DECOYS, host, place] // ATTRIBUTE)
    ports = BASE_PORTS[host]
    for kind in range(NUM_DECOYS):
        if (kinds >> kind) & 1:
            ports |= DECOY_PORT[kind]
    game.decoy_kinds[host] = kinds
    game.listening[host] = ports


@compiled
def is_reachable(game: Any, host_mask: int) -> bool:
    """Return whether Red, from User0, reaches these hosts, all of one subnet.

    Operational hosts let in Red only while it holds a session, of any privilege, on an Enterprise host.
    """
    return host_mask & CLOSED_HOSTS == 0 or game.red_hosts & ENTERPRISE_HOSTS != 0
