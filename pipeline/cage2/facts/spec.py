"""The facts of CAGE Challenge 2, Scenario 2: every constant of the game, once.

Hosts, starting sessions, decoys, exploits, actions and rewards as plain data; `images` has what the hosts are
built from. `scenario` makes CybORG's dictionary of this table, and a simulator can make its own tables of it.

An index of a host is its place in `HOSTS`, which is the order of the observation and of the action ids; in a
mask, bit `1 << index` stands for it.

Source: the challenge's Scenario 2, and the behaviour of CybORG.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from pipeline.cage2.facts.images import (
    DEFENDER,
    GATEWAY,
    INTERNAL,
    LINUX_USER_1,
    LINUX_USER_2,
    OP_SERVER,
    PRIVILEGED_USERS,
    WINDOWS_USER_1,
    WINDOWS_USER_2,
    Image,
    Os,
    ProcessType,
)
from pipeline.cage2.facts.names import RedAgent

# Sizes ------------------------------------------------------------------------------------------------------

NUM_HOSTS = 13
NUM_ACTIONS = 145
"""Sleep, Monitor, and 11 actions on each host; `A`."""
BITS_PER_HOST = 4
"""Two for activity (scanned, exploited), two for what Blue holds of the host's state."""
OBSERVATION_SIZE = NUM_HOSTS * BITS_PER_HOST
EPISODE_STEPS = 100
"""Steps of an episode where nobody says otherwise; CybORG itself never ends one."""
MAX_EPISODE_STEPS = 1000
"""Steps of an episode, at most, in training."""

# Hosts ------------------------------------------------------------------------------------------------------

DEFENDER_INDEX = 0
OP_SERVER_INDEX = 7
RED_FOOTHOLD_INDEX = 8
"""User0, where Red's first session lives for ever."""


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the network."""

    name: str
    subnet: str
    image: Image
    confidentiality_tenths: int
    """Cost of each step that ends with a privileged Red session on it."""
    availability_tenths: int
    """Cost of each step that ends without the service that it is there for. Op_Server0 alone has one."""
    linked_host: int | None = None
    """Index of the host whose address Red finds here, beside the host's own."""
    reveals_itself: bool = True
    """Whether Red that escalates here learns the host's own address and subnet."""


HOSTS = (
    Host("Defender", "Enterprise", DEFENDER, 1, 0, reveals_itself=False),
    Host("Enterprise0", "Enterprise", GATEWAY, 10, 0),
    Host("Enterprise1", "Enterprise", INTERNAL, 10, 0),
    Host("Enterprise2", "Enterprise", INTERNAL, 10, 0, linked_host=OP_SERVER_INDEX),
    Host("Op_Host0", "Operational", GATEWAY, 1, 0),
    Host("Op_Host1", "Operational", GATEWAY, 1, 0),
    Host("Op_Host2", "Operational", GATEWAY, 1, 0),
    Host("Op_Server0", "Operational", OP_SERVER, 10, 100),
    Host("User0", "User", WINDOWS_USER_1, 0, 0),
    Host("User1", "User", WINDOWS_USER_1, 1, 0, linked_host=2),
    Host("User2", "User", WINDOWS_USER_2, 1, 0, linked_host=2),
    Host("User3", "User", LINUX_USER_1, 1, 0, linked_host=1),
    Host("User4", "User", LINUX_USER_2, 1, 0, linked_host=1),
)
"""The 13 hosts in the order of the observation, of the action ids and of every mask."""

HOST_NAMES = tuple(host.name for host in HOSTS)


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet of the network."""

    name: str
    hosts: tuple[int, ...]
    """Indices of its hosts, in the order in which addresses are given out."""
    size: int
    """As the scenario declares it, with no regard to how many hosts there are."""
    closed_to_user: bool = False
    """Whether Red, who acts from User0, gets in only while it holds a session on an Enterprise host."""


SUBNETS = (
    Subnet("Enterprise", (1, 2, 3, 0), 3),
    Subnet("Operational", (7, 4, 5, 6), 4, closed_to_user=True),
    Subnet("User", (8, 9, 10, 11, 12), 5),
)
"""In the order in which address ranges are drawn."""

HOST_TYPES = ("defender", "enterprise", "op_server", "op_host", "user")
"""What a workflow orders; a host type's id is its place here."""
HOST_TYPE_OF_HOST = (0, 1, 1, 1, 3, 3, 3, 2, 4, 4, 4, 4, 4)
"""The type of each host."""

# Agents -----------------------------------------------------------------------------------------------------

RED_AGENTS: tuple[RedAgent, ...] = get_args(RedAgent)


@dataclass(frozen=True, slots=True)
class StartingSession:
    """A session that an agent holds when an episode starts; its process is the host's own from then on."""

    host: int
    user: str

    @property
    def privileged(self) -> bool:
        """Whether it runs as root or SYSTEM."""
        return self.user in PRIVILEGED_USERS


BLUE_SESSIONS = (
    StartingSession(0, "ubuntu"),  # the server; all others are its clients
    StartingSession(8, "ubuntu"),
    StartingSession(9, "ubuntu"),
    StartingSession(10, "ubuntu"),
    StartingSession(11, "ubuntu"),
    StartingSession(12, "ubuntu"),
    StartingSession(1, "ubuntu"),
    StartingSession(2, "SYSTEM"),
    StartingSession(3, "SYSTEM"),
    StartingSession(0, "ubuntu"),
    StartingSession(7, "ubuntu"),
    StartingSession(4, "ubuntu"),
    StartingSession(5, "ubuntu"),
    StartingSession(6, "ubuntu"),
)
GREEN_SESSIONS = tuple(StartingSession(host, "GreenAgent") for host in (8, 9, 10, 11, 12, 4, 5, 6))
RED_SESSIONS = (StartingSession(RED_FOOTHOLD_INDEX, "SYSTEM"),)
STARTING_SESSIONS = BLUE_SESSIONS + GREEN_SESSIONS + RED_SESSIONS
"""All, in the order in which their process ids are drawn."""

# Blue's actions ---------------------------------------------------------------------------------------------

SLEEP = 0
MONITOR = 1
HOST_ACTIONS = (
    "Analyse",
    "Remove",
    "DecoyApache",
    "DecoyFemitter",
    "DecoyHarakaSMPT",
    "DecoySmss",
    "DecoySSHD",
    "DecoySvchost",
    "DecoyTomcat",
    "DecoyVsftpd",
    "Restore",
)
"""Actions that take a host, in order: `id = 2 + 13 * place + host`. Spelt as CybORG spells its classes."""

ANALYSE = 2
REMOVE = 15
DECOY = 28
"""First of the 8 blocks of decoys, which end where Restore begins."""
RESTORE = 132

ACTION_NAMES = (
    "Sleep",
    "Monitor",
    *(f"{action} {host}" for action in HOST_ACTIONS for host in HOST_NAMES),
)
"""`[145]`: `Sleep`, `Monitor`, `Analyse Defender`, ..., `Restore User4`."""


@dataclass(frozen=True, slots=True)
class Decoy:
    """A service that Blue can fake, in the order of its block of action ids."""

    name: str
    free_port: int
    """Has to be free on the host."""
    os: Os | None
    """The only system that it fits; None: any."""
    type: ProcessType
    """Of the process that appears."""
    port: int
    """That it listens on. Not `free_port` for Vsftpd, which can therefore be placed again and again."""
    privileged: bool


DECOYS = (
    Decoy("DecoyApache", 80, None, ProcessType.WEB, 80, privileged=False),
    Decoy("DecoyFemitter", 21, Os.WINDOWS, ProcessType.FEMITTER, 21, privileged=True),
    Decoy("DecoyHarakaSMPT", 25, Os.LINUX, ProcessType.SMTP, 25, privileged=False),
    Decoy("DecoySmss", 139, Os.WINDOWS, ProcessType.SMB, 139, privileged=False),
    Decoy("DecoySSHD", 22, None, ProcessType.SSH, 22, privileged=False),
    Decoy("DecoySvchost", 3389, Os.WINDOWS, ProcessType.RDP, 3389, privileged=False),
    Decoy("DecoyTomcat", 443, None, ProcessType.WEB, 443, privileged=False),
    Decoy("DecoyVsftpd", 21, Os.LINUX, ProcessType.WEB, 80, privileged=False),
)

# Red's exploits ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exploit:
    """A way in, in the order in which Red lists its options."""

    name: str
    port: int
    """That Red must have seen, and that the victim listens on."""
    also_needs: tuple[int, ...]
    """Of these Red must have seen one, if there are any."""
    weight: float
    """The heaviest option is the preferred one."""
    victim: ProcessType


EXPLOITS = (
    Exploit("EternalBlue", 139, (), 2.0, ProcessType.SMB),
    Exploit("BlueKeep", 3389, (), 1.0, ProcessType.RDP),
    Exploit("HTTPRFI", 80, (), 3.0, ProcessType.WEB),
    Exploit("HTTPSRFI", 443, (), 4.0, ProcessType.WEB),
    Exploit("SSHBruteForce", 22, (), 0.1, ProcessType.SSH),
    Exploit("SQLInjection", 3390, (80, 443), 5.0, ProcessType.MYSQL),
    Exploit("HarakaRCE", 25, (), 6.0, ProcessType.SMTP),
    Exploit("FTPDirectoryTraversal", 21, (), 7.0, ProcessType.FEMITTER),
)
PREFERRED_EXPLOIT_PROBABILITY = 0.75
DETECTION_PROBABILITY = 0.95
"""That Blue is told of a reverse shell's connection."""
REVERSE_SHELL_PORT = 4444
"""Remote port of that connection."""

# Numbers that are drawn -------------------------------------------------------------------------------------

NETWORKS_OF_RESET = 1
"""Networks that CybORG draws for a reset of an existing environment."""
NETWORKS_OF_NEW = 3
"""Networks that it draws for a new one: when it is built, when it is wrapped, and when it is reset."""
HOST_BITS = 4
"""Of an address: every subnet is a range of 16 addresses in 10.0.0.0/16."""
NUM_RANGES = 1 << (16 - HOST_BITS)
"""Ranges that a subnet is chosen from: 4,096."""
NUM_ADDRESSES = (1 << HOST_BITS) - 2
"""Addresses that a subnet's hosts are chosen from; the first and the last stand for the subnet and for broadcasts."""
PID_LIMIT = 32768
"""Process ids are drawn from 1 up to, not including, this."""
FIRST_EPHEMERAL_PORT = 49152
NUM_EPHEMERAL_PORTS = 10848

# Rewards, in tenths of a point ------------------------------------------------------------------------------

CONFIDENTIALITY_TENTHS = tuple(host.confidentiality_tenths for host in HOSTS)
OT_SERVICE_DOWN_TENTHS = HOSTS[OP_SERVER_INDEX].availability_tenths
RESTORE_TENTHS = 10
"""Cost of Blue's Restore, needed or not."""
