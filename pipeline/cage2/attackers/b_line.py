"""`B_lineAgent`: a script from a User host to the OT service. The compiled one is `engine.agents.b_line`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.cage2.facts.spec import HOST_NAMES, HOSTS

if TYPE_CHECKING:
    import random

    from pipeline.cage2.attackers.choice import Choice
    from pipeline.cage2.attackers.knowledge import Knowledge

_USER, _ENTERPRISE = "its User host", "the host that it leads to"
"""Targets that depend on what Red draws."""
SCRIPT: Final = (
    # action, target, and where it goes on if the action fails
    ("DiscoverRemoteSystems", "User", 0),
    ("DiscoverNetworkServices", _USER, 1),
    ("ExploitRemoteService", _USER, 2),
    ("PrivilegeEscalate", _USER, 2),
    ("DiscoverNetworkServices", _ENTERPRISE, 2),
    ("ExploitRemoteService", _ENTERPRISE, 2),
    ("PrivilegeEscalate", _ENTERPRISE, 5),
    ("DiscoverRemoteSystems", "Enterprise", 5),
    ("DiscoverNetworkServices", "Enterprise2", 5),
    ("ExploitRemoteService", "Enterprise2", 5),
    ("PrivilegeEscalate", "Enterprise2", 9),
    ("DiscoverNetworkServices", "Op_Server0", 9),
    ("ExploitRemoteService", "Op_Server0", 9),
    ("PrivilegeEscalate", "Op_Server0", 12),
    ("Impact", "Op_Server0", 13),
)
_FIRST_SCAN, _OP_SERVER_EXPLOIT, _LAST = 1, 12, len(SCRIPT) - 1
_USER_HOSTS = ("User1", "User2", "User3", "User4")


class BLine:
    """The game's `B_lineAgent`.

    Pitfalls: it starts as after a failure. Before the first exploit of Op_Server0, a scan that listed nothing sends Red
    back to the scan of its User host; after it, never again.
    """

    def __init__(self, generator: random.Random) -> None:
        """Args: generator: draws its User host."""
        self._generator = generator
        self._place = 0
        self._hosts: dict[str, str] = {}
        self._has_exploited_op_server = False

    def choose(self, knowledge: Knowledge) -> Choice:
        """Go one place on in the script after a success, back after a failure."""
        self._place = min(self._place + 1, _LAST) if knowledge.success else SCRIPT[self._place][2]
        if self._place == _OP_SERVER_EXPLOIT and not self._has_exploited_op_server:
            if knowledge.listed:
                self._has_exploited_op_server = True
            else:
                self._place = _FIRST_SCAN
        if self._place == _FIRST_SCAN and not self._hosts:
            user = self._generator.choice(_USER_HOSTS)
            linked = HOSTS[HOST_NAMES.index(user)].linked_host
            assert linked is not None  # noqa: S101  # of these four
            self._hosts = {_USER: user, _ENTERPRISE: HOST_NAMES[linked]}
        action, target, _ = SCRIPT[self._place]
        return action, self._hosts.get(target, target)
