"""What Red knows when it chooses, in the words of the game: what CybORG's Red was told so far, and nothing else.

CybORG tells Red addresses and keeps an order by which it is plain whose they are, so hosts have their names here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.cage2.facts.spec import HOST_NAMES, RED_FOOTHOLD_INDEX

if TYPE_CHECKING:
    from pipeline.cage2.attackers.choice import Choice

FOOTHOLD = HOST_NAMES[RED_FOOTHOLD_INDEX]
"""User0, where Red holds a privileged session from the beginning to the end."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What Red knows in one step; nothing in it is changed afterwards."""

    step: int
    """Of the episode, that Red chooses for: 1 is the first."""
    last: Choice
    """Red's last action and its target, `("Sleep", None)` before the first."""
    success: bool | None
    """Whether that succeeded; None before the first, and after Sleep, which neither succeeds nor fails."""
    listed: bool
    """Whether it was a scan that listed ports: a scan of a host out of reach succeeds all the same, with none."""
    subnets: tuple[str, ...]
    """Subnets that Red knows, and may sweep."""
    addresses: tuple[str, ...]
    """Hosts whose address it knows, which it may scan and exploit, in the order of `address_order`."""
    names: tuple[str, ...]
    """Hosts that it can name, which it may escalate on."""
    address_order: tuple[str, ...]
    """All 13 hosts in the order in which CybORG lists their addresses, known or not: for who shuffles that list."""
    ports: dict[str, frozenset[int]]
    """Of hosts that were scanned: the ports that were found last time, decoys' among them. Exploits go by these."""
    exploited: frozenset[str]
    """Hosts on which an exploit succeeded. That Blue has ended the session since, nobody tells Red."""
    privileged: frozenset[str]
    """Hosts on which an escalation succeeded, and User0. As said."""
    ot_service: bool
    """Whether Red has seen the OT service, without which Impact fails."""


class Deeds:
    """What Red has done in an episode, as far as it was told."""

    def __init__(self) -> None:
        self.num_steps = 0
        self.last: Choice = ("Sleep", None)
        self.success: bool | None = None
        self.exploited: frozenset[str] = frozenset()
        self.privileged: frozenset[str] = frozenset({FOOTHOLD})

    def note(self, choice: Choice, *, success: bool | None) -> None:
        """Note an action, and how Red was told that it ended."""
        self.num_steps += 1
        self.last, self.success = choice, success
        action, target = choice
        if success and target is not None:
            if action == "ExploitRemoteService":
                self.exploited |= {target}
            elif action == "PrivilegeEscalate":
                self.privileged |= {target}


def is_known(knowledge: Knowledge, choice: Choice) -> bool:
    """Return whether Red knows what it aims at: an address for a scan or an exploit, for others a name."""
    action, target = choice
    if target is None:
        return True
    if action == "DiscoverRemoteSystems":
        return target in knowledge.subnets
    if action in ("DiscoverNetworkServices", "ExploitRemoteService"):
        return target in knowledge.addresses
    return target in knowledge.names
