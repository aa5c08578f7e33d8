"""The game's facts as arrays that compiled code looks things up in. All are derived from `pipeline.cage2.facts.spec`.

Sets are masks: of hosts (bit = host index), subnets (place in `spec.SUBNETS`), ports (place in `PORTS`), decoys (place
in `spec.DECOYS`) and exploits (place in `spec.EXPLOITS`).
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.images import OT_SERVICE_PID, RECORDED_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from pipeline.cage2.facts.images import Process

IntTable = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


def _table(values: npt.ArrayLike) -> IntTable:
    array = np.array(values, dtype=np.int64)
    array.setflags(write=False)
    return array


def _ragged(rows: Sequence[Sequence[int]]) -> IntTable:
    width = max(len(row) for row in rows)
    return _table([[*row, *([-1] * (width - len(row)))] for row in rows])


def _mask(places: Iterable[int]) -> int:
    return sum(1 << place for place in set(places))


# Hosts and subnets ------------------------------------------------------------------------------------------

_SUBNET_NAMES = [subnet.name for subnet in spec.SUBNETS]

HOSTS_OF_SUBNET = _table([_mask(subnet.hosts) for subnet in spec.SUBNETS])
"""`[3]`: the hosts of each subnet."""
NUM_HOSTS_OF_SUBNET = _table([len(subnet.hosts) for subnet in spec.SUBNETS])
"""`[3]`: how many addresses are drawn in it."""
SUBNET_OF_HOST = _table([_SUBNET_NAMES.index(host.subnet) for host in spec.HOSTS])
"""`[13]`: place of each host's subnet."""

ENTERPRISE = _SUBNET_NAMES.index("Enterprise")
OPERATIONAL = _SUBNET_NAMES.index("Operational")
USER = _SUBNET_NAMES.index("User")
ENTERPRISE_HOSTS = int(HOSTS_OF_SUBNET[ENTERPRISE])
OPERATIONAL_HOSTS = int(HOSTS_OF_SUBNET[OPERATIONAL])
CLOSED_HOSTS = _mask(host for subnet in spec.SUBNETS if subnet.closed_to_user for host in subnet.hosts)
"""Hosts that Red can't reach from User0 alone."""

REVEALED_HOSTS = _table(
    [
        _mask(([index] if host.reveals_itself else []) + ([] if host.linked_host is None else [host.linked_host]))
        for index, host in enumerate(spec.HOSTS)
    ]
)
"""`[13]`: the hosts whose address Red learns by escalating on each host."""
REVEALED_SUBNETS = _table(
    [(1 << int(SUBNET_OF_HOST[index])) if host.reveals_itself else 0 for index, host in enumerate(spec.HOSTS)]
)
"""`[13]`: the subnets that Red learns by escalating on each host."""
_recorded_address = int(IPv4Address(RECORDED_ADDRESS)) & 0xFFFF
RECORDED_RANGE = _recorded_address >> spec.HOST_BITS
RECORDED_PLACE = (_recorded_address & ((1 << spec.HOST_BITS) - 1)) - 1
"""The range that `images.RECORDED_ADDRESS` is in, and its place among the addresses for hosts there."""
MEMBERS_OF_SUBNET = _ragged([subnet.hosts for subnet in spec.SUBNETS])
"""`[3, 5]`: the hosts of each subnet in the order in which addresses are given out, -1 where there are fewer."""
GUESSABLE_HOSTS = _mask(i for i, host in enumerate(spec.HOSTS) if any(a.guessable for a in host.image.accounts))
"""Hosts with an account that SSH brute force gets in through."""

# Ports and processes ----------------------------------------------------------------------------------------

_processes = [host.image.processes for host in spec.HOSTS]

PORTS = tuple(
    sorted(
        {port for processes in _processes for process in processes for port in process.ports}
        | {decoy.port for decoy in spec.DECOYS}
    )
)
"""Every port that anything in the game listens on."""
NUM_PORT_SETS = 1 << len(PORTS)


def port_mask(ports: Iterable[int]) -> int:
    """Return the mask of some ports."""
    return _mask(PORTS.index(port) for port in ports)


BASE_PORTS = _table([port_mask(port for process in processes for port in process.ports) for processes in _processes])
"""`[13]`: ports that each host's own processes listen on."""
NUM_BASE_LISTENERS = _table([sum(len(process.ports) for process in processes) for processes in _processes])
"""`[13]`: connections that a scan of each host meets; Defender's port 53 counts twice."""

BASE_PIDS = _ragged([[process.pid for process in processes] for processes in _processes])
"""`[13, n]`: process ids of each host's own processes, -1 where there are fewer."""
NUM_BASE_PIDS = _table([len(processes) for processes in _processes])
"""`[13]`: how many of them there are."""
OT_PID = OT_SERVICE_PID

# Sessions at the start --------------------------------------------------------------------------------------

STARTING_HOSTS = _table([session.host for session in spec.STARTING_SESSIONS])
"""`[23]`: hosts of the sessions that all agents start with, in the order in which their processes are made."""
MAX_STARTING_SESSIONS = int(np.bincount(STARTING_HOSTS).max())
NUM_BLUE_SESSIONS = _table(np.bincount([s.host for s in spec.BLUE_SESSIONS], minlength=spec.NUM_HOSTS))
"""`[13]`: Blue's sessions, one of which it chooses for every action on the host."""

# Decoys -----------------------------------------------------------------------------------------------------

NUM_DECOYS = len(spec.DECOYS)
DECOY_FREE_PORT = _table([port_mask([decoy.free_port]) for decoy in spec.DECOYS])
"""`[8]`: the port that has to be free for each decoy."""
DECOY_PORT = _table([port_mask([decoy.port]) for decoy in spec.DECOYS])
"""`[8]`: the port that each decoy then listens on."""
DECOY_HOSTS = _table(
    [_mask(i for i, host in enumerate(spec.HOSTS) if decoy.os in (None, host.image.os)) for decoy in spec.DECOYS]
)
"""`[8]`: hosts whose operating system each decoy fits."""
PRIVILEGED_DECOYS = _mask(place for place, decoy in enumerate(spec.DECOYS) if decoy.privileged)

# Exploits ---------------------------------------------------------------------------------------------------

NUM_EXPLOITS = len(spec.EXPLOITS)
_NAMES = [exploit.name for exploit in spec.EXPLOITS]
SSH_BRUTE_FORCE = _NAMES.index("SSHBruteForce")
HARAKA_RCE = _NAMES.index("HarakaRCE")
EXPLOIT_PORT = _table([port_mask([exploit.port]) for exploit in spec.EXPLOITS])
"""`[8]`: the port that each exploit attacks."""

NO_VICTIM, VICTIM, PRIVILEGED_VICTIM, DECOY_VICTIM = 0, 1, 2, 3
"""What an exploit finds at its port: nothing of its type, a process, one that runs as root or SYSTEM, or a decoy."""


def _base_victim(processes: Sequence[Process], exploit: spec.Exploit) -> int:
    for process in processes:
        if process.type == exploit.victim and exploit.port in process.ports:
            return PRIVILEGED_VICTIM if process.privileged else VICTIM
    return NO_VICTIM


BASE_VICTIM = _table([[_base_victim(processes, exploit) for exploit in spec.EXPLOITS] for processes in _processes])
"""`[13, 8]`: what each exploit finds among each host's own processes, which come before any decoy."""
DECOYS_FOR_EXPLOIT = _table(
    [
        _mask(
            place
            for place, decoy in enumerate(spec.DECOYS)
            if decoy.type == exploit.victim and decoy.port == exploit.port
        )
        for exploit in spec.EXPLOITS
    ]
)
"""`[8]`: decoys that each exploit takes for its victim."""


def _options(ports: int) -> int:
    return _mask(
        place
        for place, exploit in enumerate(spec.EXPLOITS)
        if ports & port_mask([exploit.port]) and (not exploit.also_needs or ports & port_mask(exploit.also_needs))
    )


def _heaviest(options: int) -> int:
    places = [place for place in range(NUM_EXPLOITS) if options >> place & 1]
    return max(places, key=lambda place: spec.EXPLOITS[place].weight, default=-1)


OPTIONS_OF_PORTS = _table([_options(ports) for ports in range(NUM_PORT_SETS)])
"""`[4096]`: the exploits open to Red when it remembers a set of ports."""
HEAVIEST_OPTION = _table([_heaviest(options) for options in range(1 << NUM_EXPLOITS)])
"""`[256]`: the preferred one of a set of exploits; -1 for none."""
NUM_OPTIONS = _table([options.bit_count() for options in range(1 << NUM_EXPLOITS)])
"""`[256]`: how many exploits a set has."""

# Rewards ----------------------------------------------------------------------------------------------------

CONFIDENTIALITY_TENTHS = _table(spec.CONFIDENTIALITY_TENTHS)
"""`[13]`: cost of a privileged Red session on each host, in tenths of a point a step."""
