"""What there is to know of a game after a step, as names: what a user of CybORG asks its `ChallengeWrapper` for.

A `View` is a snapshot of one game, whichever engine plays it (`fast_view`, `cyborg_view`). It knows more than Blue:
only `blue_table`, and the two fields of each host that it shows, are Blue's own knowledge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import require
from pipeline.cage2.facts.table import ACTIVITIES, ACTIVITY_BITS, CONDITION_BITS, CONDITIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

Agent = Literal["Blue", "Red"]

_ACTIVITY_OF_BITS = dict(zip(ACTIVITY_BITS, ACTIVITIES, strict=True))
_CONDITION_OF_BITS = dict(zip(CONDITION_BITS, CONDITIONS, strict=True))


class HostReward(NamedTuple):
    """What a host cost Blue in a step, in points, 0 or less."""

    confidentiality: float
    """For a privileged Red session on it."""
    availability: float
    """For the service that it is there for being down."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session of Red's."""

    pid: int
    privileged: bool


@dataclass(frozen=True, slots=True)
class Addresses:
    """The numbers of a network, new in each episode."""

    hosts: tuple[str, ...]
    """`[13]`, such as `10.0.103.54`, in host order."""
    subnets: tuple[str, ...]
    """`[3]`, such as `10.0.103.48/28`, in the order of `spec.SUBNETS`."""


@dataclass(frozen=True, slots=True)
class HostView:
    """A host."""

    name: str
    subnet: str
    """Its name, not its range."""
    address: str
    cidr: str
    """The range of its subnet."""
    sessions: tuple[Session, ...]
    """Red's, in the order in which they were opened."""
    decoys: tuple[str, ...]
    """Decoys that stand, named by the action that placed them, in that order."""
    known: bool
    """Whether Red knows the address."""
    scanned: bool
    """Whether Red has scanned it, with a result."""
    activity: str
    """One of `table.ACTIVITIES`: what Blue was shown of this step."""
    compromised: str
    """One of `table.CONDITIONS`: what Blue takes it for."""

    @property
    def access(self) -> str:
        """`None`, `User` or `Privileged`: that of Red's oldest session, as CybORG's true table has it."""
        if not self.sessions:
            return "None"
        return "Privileged" if self.sessions[0].privileged else "User"

    @property
    def privileged(self) -> bool:
        """Whether any of Red's sessions is privileged, which is what the reward goes by."""
        return any(session.privileged for session in self.sessions)


@dataclass(frozen=True, slots=True)
class View:
    """A game, after a step or a reset."""

    hosts: tuple[HostView, ...]
    """`[13]`, in the order of the observation."""
    num_steps: int
    """Played since the reset."""
    blue_action: int | None
    """Id of Blue's last action; None after a reset."""
    blue_success: bool | None
    """Whether it succeeded, as CybORG reports it; None if it reports neither (of Sleep), and after a reset."""
    red_action: str | None
    """CybORG's name for the kind of Red's last action; None after a reset."""
    red_target: str | None
    """Name of the host, or of the subnet, that it was aimed at; None if there is none."""
    red_success: bool | None
    """See `blue_success`."""
    ot_service_up: bool

    def last_action(self, agent: Agent) -> str | None:
        """Return an agent's last action as CybORG prints it: `Restore User1`, `ExploitRemoteService 10.0.103.54`.

        None after a reset, where CybORG still has the last one of the episode before.

        Raises:
            UnknownNameError: There is no such agent.
        """
        require("agent", agent, get_args(Agent))
        if agent == "Blue":
            return None if self.blue_action is None else spec.ACTION_NAMES[self.blue_action]
        if self.red_action is None or self.red_target is None:
            return self.red_action
        if self.red_action == "DiscoverRemoteSystems":
            return f"{self.red_action} {next(host.cidr for host in self.hosts if host.subnet == self.red_target)}"
        if self.red_action in ("DiscoverNetworkServices", "ExploitRemoteService"):
            return f"{self.red_action} {self.ip_map()[self.red_target]}"
        return f"{self.red_action} {self.red_target}"

    def blue_table(self) -> str:
        """Return what Blue knows, as CybORG prints it."""
        return _table(
            ("Subnet", "IP Address", "Hostname", "Activity", "Compromised"),
            [(host.cidr, host.address, host.name, host.activity, host.compromised) for host in self.hosts],
        )

    def true_table(self) -> str:
        """Return what is the case, as CybORG prints it."""
        return _table(
            ("Subnet", "IP Address", "Hostname", "Known", "Scanned", "Access"),
            [(host.cidr, host.address, host.name, host.known, host.scanned, host.access) for host in self.hosts],
        )

    def ip_map(self) -> dict[str, str]:
        """Return the address of each host."""
        return {host.name: host.address for host in self.hosts}

    def reward_breakdown(self) -> dict[str, HostReward]:
        """Return what each host cost Blue in the last step, as CybORG breaks it down: without the cost of Restore."""
        rewards = {}
        for host, fact in zip(self.hosts, spec.HOSTS, strict=True):
            is_down = fact.availability_tenths > 0 and not self.ot_service_up
            rewards[host.name] = HostReward(
                -fact.confidentiality_tenths * host.privileged / 10, -fact.availability_tenths * is_down / 10
            )
        return rewards


def assemble(
    *,
    observation: npt.NDArray[np.int8],
    sessions: Sequence[Sequence[Session]],
    decoys: Sequence[Sequence[str]],
    known: int,
    scanned: int,
    addresses: Addresses,
    num_steps: int,
    blue_action: int,
    blue_success: bool | None,
    red_action: str,
    red_target: str | None,
    red_success: bool | None,
    ot_service_up: bool,
) -> View:
    """Make a view of what an engine keeps.

    Args:
        observation: `[52]`, Blue's of the last step.
        sessions: `[13]`, Red's on each host.
        decoys: `[13]`, those on each host.
        known: Hosts whose address Red knows, as a mask.
        scanned: Hosts that it has scanned, as a mask.
        addresses: Of this episode.
        num_steps: See `View`; 0 makes all last actions None.
        blue_action: See `View`.
        blue_success: See `View`.
        red_action: See `View`.
        red_target: See `View`.
        red_success: See `View`.
        ot_service_up: See `View`.
    """
    cidr_of = dict(zip((subnet.name for subnet in spec.SUBNETS), addresses.subnets, strict=True))
    bits = observation.reshape(spec.NUM_HOSTS, spec.BITS_PER_HOST).tolist()
    return View(
        hosts=tuple(
            HostView(
                name=host.name,
                subnet=host.subnet,
                address=addresses.hosts[index],
                cidr=cidr_of[host.subnet],
                sessions=tuple(sessions[index]),
                decoys=tuple(decoys[index]),
                known=bool(known >> index & 1),
                scanned=bool(scanned >> index & 1),
                activity=_ACTIVITY_OF_BITS[bits[index][0], bits[index][1]],
                compromised=_CONDITION_OF_BITS[bits[index][2], bits[index][3]],
            )
            for index, host in enumerate(spec.HOSTS)
        ),
        num_steps=num_steps,
        blue_action=blue_action if num_steps else None,
        blue_success=blue_success if num_steps else None,
        red_action=red_action if num_steps else None,
        red_target=red_target if num_steps else None,
        red_success=red_success if num_steps else None,
        ot_service_up=ot_service_up,
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as the PrettyTable that CybORG makes prints itself. Rows in host order are sorted by name."""
    texts = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(text[column]) for text in texts) for column in range(len(header))]
    rule = "+".join(["", *("-" * (width + 2) for width in widths), ""])
    lines = [
        "|".join(["", *(f" {_centred(cell, width)} " for cell, width in zip(text, widths, strict=True)), ""])
        for text in texts
    ]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _centred(text: str, width: int) -> str:
    """Centre a text: of an odd number of spaces, texts of odd length have more on the right, others on the left."""
    spare = width - len(text)
    left = (spare + 1 - len(text) % 2) // 2
    return " " * left + text + " " * (spare - left)
