"""What the hosts are built from: the processes and accounts of each host image of Scenario 2.

Source: the challenge's host images, with what CybORG makes of them: a process has its declared type, or else
the one that its name stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class ProcessType(IntEnum):
    """What an exploit looks for in a process."""

    OTHER = 0
    SSH = 1
    RDP = 2
    SMB = 3
    SMTP = 4
    WEB = 5
    MYSQL = 6
    FEMITTER = 7


class Os(StrEnum):
    """Operating system of a host."""

    LINUX = "Linux"
    WINDOWS = "Windows"


PRIVILEGED_USERS = frozenset({"root", "SYSTEM"})


@dataclass(frozen=True, slots=True)
class Process:
    """A process that an image starts with."""

    pid: int
    type: ProcessType
    ports: tuple[int, ...]
    """Ports it listens on, in order; a repeated port counts twice in a scan."""
    user: str
    name: str
    address: str = "0.0.0.0"  # noqa: S104 - a game's; nothing is bound
    """That it listens on. Of no matter but for `RECORDED_ADDRESS`."""

    @property
    def privileged(self) -> bool:
        """Whether Remove can't kill it, and a session got through it is privileged at once."""
        return self.user in PRIVILEGED_USERS


@dataclass(frozen=True, slots=True)
class Account:
    """A user account of an image."""

    name: str
    guessable: bool = False
    """SSH brute force gets in through it."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a host is built from."""

    os: Os
    processes: tuple[Process, ...]
    """In table order, which decides between two processes that a search would both find."""
    accounts: tuple[Account, ...]


_LINUX_ACCOUNTS = (
    Account("root"),
    Account("www-data"),
    Account("pi", guessable=True),
    Account("ubuntu"),
    Account("GreenAgent"),
)
_WINDOWS_ACCOUNTS = (
    Account("Administrator"),
    Account("GreenAgent"),
    Account("vagrant", guessable=True),
    Account("SYSTEM"),
)

_LINUX_SSHD = Process(1091, ProcessType.SSH, (22,), "root", "sshd")
_WINDOWS_SSHD = Process(3368, ProcessType.SSH, (22,), "sshd_server", "sshd.exe")

OT_SERVICE = "OTService"
OT_SERVICE_PID = 1043
"""The process on Op_Server0 that Red's Impact stops."""

GATEWAY = Image(Os.LINUX, (_LINUX_SSHD,), _LINUX_ACCOUNTS)

OP_SERVER = Image(
    Os.LINUX,
    (_LINUX_SSHD, Process(OT_SERVICE_PID, ProcessType.OTHER, (), "root", OT_SERVICE)),
    _LINUX_ACCOUNTS,
)

INTERNAL = Image(
    Os.WINDOWS,
    (
        _WINDOWS_SSHD,
        Process(832, ProcessType.OTHER, (135,), "SYSTEM", "svchost.exe"),
        Process(4400, ProcessType.RDP, (3389,), "SYSTEM", "svchost.exe"),
        Process(4, ProcessType.OTHER, (445, 139), "SYSTEM", "smss.exe"),  # not declared SMB, unlike WINDOWS_USER_2's
        Process(3404, ProcessType.WEB, (80, 443), "NetworkService", "tomcat8.exe"),
    ),
    _WINDOWS_ACCOUNTS,
)

WINDOWS_USER_1 = Image(
    Os.WINDOWS,
    (_WINDOWS_SSHD, Process(3344, ProcessType.FEMITTER, (21,), "SYSTEM", "femitter.exe")),
    _WINDOWS_ACCOUNTS,
)

WINDOWS_USER_2 = Image(
    Os.WINDOWS,
    (
        Process(4, ProcessType.SMB, (445, 139), "SYSTEM", "smss.exe"),
        Process(832, ProcessType.OTHER, (135,), "SYSTEM", "svchost.exe"),
        Process(4400, ProcessType.RDP, (3389,), "NetworkService", "svchost.exe"),
    ),
    _WINDOWS_ACCOUNTS,
)

LINUX_USER_1 = Image(
    Os.LINUX,
    (
        Process(1100, ProcessType.WEB, (80,), "www-data", "apache2"),
        Process(1101, ProcessType.MYSQL, (3389,), "root", "mysql"),
        Process(1100, ProcessType.WEB, (443,), "www-data", "apache2"),
        Process(1102, ProcessType.SMTP, (25,), "root", "smtp"),
    ),
    _LINUX_ACCOUNTS,
)

LINUX_USER_2 = Image(
    Os.LINUX,
    (
        _LINUX_SSHD,
        Process(1100, ProcessType.WEB, (80,), "www-data", "apache2"),
        Process(1101, ProcessType.MYSQL, (3390,), "root", "mysql"),
        Process(1100, ProcessType.WEB, (443,), "www-data", "apache2"),
        Process(1102, ProcessType.SMTP, (25,), "root", "smtp"),
    ),
    _LINUX_ACCOUNTS,
)


RECORDED_ADDRESS = "10.0.11.88"
"""Where Defender's network daemon listens, whatever addresses a game draws.

In one game in 4,779 it is the address of another host, which changes what RedMeanderAgent does
(`engine.network.draw_addresses`).
"""


def _daemon(pid: int, user: str, name: str) -> Process:
    return Process(pid, ProcessType.OTHER, (), user, name)


DEFENDER = Image(
    Os.LINUX,
    (
        _daemon(1, "root", "init"),
        _daemon(389, "root", "systemd-journald"),
        _daemon(407, "root", "systemd-udevd"),
        _daemon(409, "root", "lvmetad"),
        _daemon(560, "systemd+", "systemd-timesyncd"),
        _daemon(790, "root", "accounts-daemon"),
        _daemon(802, "daemon", "atd"),
        _daemon(803, "velocir+", "bash"),
        _daemon(807, "syslog", "rsyslogd"),
        _daemon(824, "root", "acpid"),
        _daemon(825, "root", "snapd"),
        _daemon(827, "message+", "dbus-daemon"),
        _daemon(832, "velocir+", "velociraptor.bin"),
        _daemon(844, "root", "cron"),
        _daemon(847, "root", "systemd-logind"),
        _daemon(852, "root", "python3"),
        _daemon(853, "root", "lxcfs"),
        _daemon(863, "root", "polkitd"),
        _daemon(867, "root", "python3"),
        _daemon(875, "root", "agetty"),
        _daemon(884, "root", "agetty"),
        _daemon(1370, "root", "python3"),
        _daemon(1432, "root", "systemd-hostnamed"),
        Process(2288, ProcessType.SSH, (), "root", "sshd"),
        Process(879, ProcessType.SSH, (22,), "root", "sshd"),
        Process(656, ProcessType.OTHER, (53, 53), "systemd+", "systemd-resolved", "127.0.0.53"),
        Process(634, ProcessType.OTHER, (68,), "systemd+", "systemd-networkd", RECORDED_ADDRESS),
    ),
    (Account("root"), Account("ubuntu")),
)
