"""An attacker of one's own: it goes for the Enterprise hosts first, and from there for the OT service.

python run.py --red-agent examples/my_red.py:Mine
python run.py evaluate restore --red-agents examples/my_red.py:Mine
"""

import random

from pipeline.cage2.attackers.knowledge import Knowledge

GOAL = "Op_Server0"
RANKS = ("Op_Server", "Op_Host", "Enterprise", "User", "Defender")


def rank(host: str) -> int:
    """Return how much it wants a host: 0 is most."""
    return next(place for place, kind in enumerate(RANKS) if host.startswith(kind))


class Mine:
    """Made anew for every episode, with the game's generator: draw from that, and a run can be repeated."""

    def __init__(self, generator: random.Random) -> None:
        self.generator = generator
        self.swept: set[str] = set()
        self.lost: set[str] = set()  # hosts where its last attempt failed

    def choose(self, knowledge: Knowledge) -> tuple[str, str | None]:
        """Return an action and its target, by what Red knows."""
        if knowledge.success is False and knowledge.last[1] is not None:
            self.lost.add(knowledge.last[1])
        held = knowledge.privileged - self.lost
        if GOAL in held and knowledge.ot_service:
            return "Impact", GOAL
        for subnet in knowledge.subnets:
            if subnet not in self.swept:
                self.swept.add(subnet)
                return "DiscoverRemoteSystems", subnet
        targets = [host for host in knowledge.addresses if host not in held]
        if not targets:
            return "Sleep", None
        best = min(map(rank, targets))
        host = self.generator.choice([host for host in targets if rank(host) == best])
        if host in self.lost or host not in knowledge.ports:
            self.lost.discard(host)
            return "DiscoverNetworkServices", host  # what listens there may have changed
        if host not in knowledge.exploited or knowledge.last[1] != host:
            return "ExploitRemoteService", host
        return "PrivilegeEscalate", host
