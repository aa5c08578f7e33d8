"""`RedMeanderAgent`: sweep all, scan all, escalate all, exploit all, in random order; Impact as soon as it can.

The compiled one is `engine.agents.meander`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.facts.spec import HOST_NAMES

if TYPE_CHECKING:
    import random

    from pipeline.cage2.attackers.choice import Choice
    from pipeline.cage2.attackers.knowledge import Knowledge

_OP_SERVER = "Op_Server0"


class Meander:
    """The game's `RedMeanderAgent`.

    Pitfalls: both shuffles are of all 13 hosts, known or not. Escalation and exploits include its own User0. A subnet
    counts as swept and a host as scanned whatever came of it.
    """

    def __init__(self, generator: random.Random) -> None:
        """Args: generator: shuffles."""
        self._generator = generator
        self._swept: set[str] = set()
        self._scanned: set[str] = set()
        self._exploited: set[str] = set()
        self._escalated: set[str] = set()
        self._mapped: set[str] = set()
        """Hosts whose name it can match with an address."""

    def choose(self, knowledge: Knowledge) -> Choice:
        """Return the first action that is left to do."""
        self._judge(knowledge)
        if _OP_SERVER in self._escalated:
            return "Impact", _OP_SERVER
        for subnet in knowledge.subnets:
            if subnet not in self._swept:
                self._swept.add(subnet)
                return "DiscoverRemoteSystems", subnet
        addresses = self._shuffled(knowledge.address_order)
        for host in addresses:
            if host in knowledge.addresses and host not in self._scanned:
                self._scanned.add(host)
                return "DiscoverNetworkServices", host
        for host in self._shuffled(HOST_NAMES):
            is_lost = host in self._mapped and host not in self._exploited
            if host in knowledge.names and host not in self._escalated and not is_lost:
                self._escalated.add(host)
                return "PrivilegeEscalate", host
        # it never runs out, since Defender resists
        host = next(host for host in addresses if host in knowledge.addresses and host not in self._exploited)
        self._exploited.add(host)
        return "ExploitRemoteService", host

    def _shuffled(self, hosts: tuple[str, ...]) -> list[str]:
        shuffled = list(hosts)
        self._generator.shuffle(shuffled)
        return shuffled

    def _judge(self, knowledge: Knowledge) -> None:
        """Draw conclusions from the outcome of the last action.

        Pitfall: any failed exploit counts as a lost foothold: it gives up all Operational hosts that it holds or, if it
        holds none, all Enterprise hosts.
        """
        action, host = knowledge.last
        if host is None:
            return
        if action == "ExploitRemoteService":
            if knowledge.success:
                self._mapped.add(host)
                return
            lost = {held for held in self._escalated if held.startswith("Op")}
            lost = lost or {held for held in self._escalated if held.startswith("Ent")}
            self._exploited -= {host, *lost}
            self._escalated -= lost
        elif action in ("PrivilegeEscalate", "Impact") and not knowledge.success:
            self._escalated.discard(host)
            if host in self._mapped:
                self._exploited.discard(host)
