"""What Blue's policy sees, and what it may do: CybORG's own table and ids, or with a memory and with fewer actions.

An action is chosen among the interface's own, by index; with `all` that is CybORG's id. What Blue does in the game is
always one of CybORG's 145, and what it remembers follows from what it saw and did (`memory`), on either engine.

`merged` has no action that achieves nothing, or less than another, and one decoy action per host, which places the next
of the host's. What is left out follows from the game's rules:

- Defender and User0: Red's exploits of Defender fail, and its first session on User0 stays, whatever Blue does. Neither
  costs more than Defender's restoration.
- Monitor: Blue gets it for free at the end of each step.
- Remove, but on three hosts. It is free where Restore costs a point, but ends only unprivileged reverse shells, and
  Blue is not shown whether it worked. It pays where those are much of what Red gets: on User2 when decoys draw other
  exploits, and in the leaderboard's game on User3 and User4, whose mail servers are immune once the host was restored.
- Decoys that Red hardly ever attacks. Red picks the heaviest exploit that the host's ports offer with probability 0.75,
  else one of the others. On User1 and User3 the heaviest is a real one, whatever stands beside it; on User4 nothing
  fits but Vsftpd, whose port the host's own server has.
- SSHD on User2: Red's attempts at it look like exploits that got in, one false alarm for two real ones.
- Decoys on the Op_Hosts: Red comes there last, if ever, and a session there costs a tenth of a point.

With a memory, what is useless only for now is masked (`Interface.mask`).

One form serves both states of the game, so that a policy of one can be played, and trained further, on the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Protocol, Self, get_args

import numpy as np

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.names import Actions, Profile, require

HOSTS_THAT_MATTER = tuple(
    host for host in range(spec.NUM_HOSTS) if host not in (spec.DEFENDER_INDEX, spec.RED_FOOTHOLD_INDEX)
)
"""The 11 hosts on which Blue can achieve something."""

_GATEWAY_DECOYS = ("DecoyHarakaSMPT", "DecoyTomcat", "DecoyApache")
_INTERNAL_DECOYS = ("DecoyFemitter",)
_DECOY_NAMES: dict[str, tuple[str, ...]] = {
    "Enterprise0": _GATEWAY_DECOYS,
    "Enterprise1": _INTERNAL_DECOYS,
    "Enterprise2": _INTERNAL_DECOYS,
    "Op_Server0": _GATEWAY_DECOYS,
    "User2": ("DecoyFemitter", "DecoyTomcat", "DecoyApache"),
}
_KINDS = [decoy.name for decoy in spec.DECOYS]

DECOYS_OF_HOST = tuple(tuple(_KINDS.index(kind) for kind in _DECOY_NAMES.get(name, ())) for name in spec.HOST_NAMES)
"""For each host the decoys worth placing, in the order in which they are, as places in `spec.DECOYS`.

The first is the heaviest for Red, so that it draws three of four attacks; each further one takes its share of the rest.
All of a host's can stand together: each fakes a port of its own, which nothing on the host listens on.
"""

MAIL_HOSTS = tuple(
    host for host, each in enumerate(spec.HOSTS) if any(25 in process.ports for process in each.image.processes)
)
"""User3 and User4: in the leaderboard's game a Restore makes their mail server immune to Red's heaviest exploit."""
REMOVABLE_HOSTS = (spec.HOST_NAMES.index("User2"), *MAIL_HOSTS)
"""The hosts on which Remove is worth having."""

NEXT_DECOY = -1
"""`NEXT_DECOY - host` in `MERGED` stands for the next decoy of a host."""
MERGED = np.array(
    [
        spec.SLEEP,
        *(spec.ANALYSE + host for host in HOSTS_THAT_MATTER),
        *(NEXT_DECOY - host for host in HOSTS_THAT_MATTER if DECOYS_OF_HOST[host]),
        *(spec.REMOVE + host for host in REMOVABLE_HOSTS),
        *(spec.RESTORE + host for host in HOSTS_THAT_MATTER),
    ],
    dtype=np.int64,
)
"""`[31]`: what each of the merged actions is, as an id of CybORG's or by `NEXT_DECOY`."""
MERGED.setflags(write=False)

NUM_TENTHS = 10
"""Parts of an episode that a policy with a memory can tell apart."""


class Remembered(NamedTuple):
    """One kind of thing that Blue may remember, as bits that a policy with a memory sees."""

    num_bits: int
    meaning: str
    """In a sentence, of all its bits."""


_NUM_HOSTS, _NUM_DECOYS = len(HOSTS_THAT_MATTER), sum(map(len, DECOYS_OF_HOST))

REMEMBERED = {
    "scanned": Remembered(
        _NUM_HOSTS, "per host: it was scanned or exploited before this step; this one is in the table"
    ),
    "last_active": Remembered(_NUM_HOSTS, "per host: it was the last one"),
    "was_exploit": Remembered(1, "it was exploited then, and not just scanned"),
    "unanswered": Remembered(_NUM_HOSTS, "per host: it was exploited, and Blue's next action did not restore it"),
    "suspects": Remembered(_NUM_HOSTS, "per host: it is suspected, for Red may have a session there"),
    "faked": Remembered(_NUM_DECOYS, "per decoy: its port is faked"),
    "faked_first": Remembered(_NUM_DECOYS, "per decoy: its port was faked when its host was first shown active"),
    "restored": Remembered(len(MAIL_HOSTS), "for User3 and User4: it was restored before"),
    "time": Remembered(NUM_TENTHS - 1, "one, two, ... nine tenths of the episode have passed"),
}
"""What a policy with a memory sees after the 52 bits of CybORG's table, in order (`memory.see` writes it).

Hosts are `HOSTS_THAT_MATTER`; decoys are those of `DECOYS_OF_HOST`, host by host. A host is shown active when it is
scanned or exploited.
"""
_SIZES = [kind.num_bits for kind in REMEMBERED.values()]
MEMORY_SIZE = sum(_SIZES)
"""Bits that a memory adds to the observation."""
FIRST_BIT = dict(zip(REMEMBERED, accumulate(_SIZES[:-1], initial=spec.OBSERVATION_SIZE), strict=True))
"""Where in what the policy sees each kind begins."""

_FOUND = 2
"""Which of a host's bits in the table says that Analyse has found something, or that Remove was there."""
_EXPLOITED = 3
"""Which of them says User or Privileged: an exploit was shown, or Analyse found one, and no Remove or Restore came."""


@dataclass(frozen=True, slots=True)
class Mask:
    """When a policy's actions are useless, by bits of what it sees; a useless one has probability 0."""

    cause: tuple[int | None, ...]
    """For each action a bit; it is useless while that is 0. None: it needs no cause."""
    spent: tuple[int | None, ...]
    """For each action a bit; it is useless while that is 1."""


class HasInterface(Protocol):
    """Options that say what a policy sees and may do: of a run, or of an environment."""

    @property
    def observation_memory(self) -> bool:
        """See `Interface`, as the others."""
        ...

    @property
    def actions(self) -> Actions:
        """What it may do."""
        ...

    @property
    def profile(self) -> Profile:
        """Which state of the game it is for."""
        ...


@dataclass(frozen=True, slots=True)
class Interface:
    """What Blue's policy sees and may do.

    Raises:
        UnknownNameError: There are no such actions, or there is no such profile.
    """

    observation_memory: bool = False
    """Whether it also sees what Blue may remember."""
    actions: Actions = "all"
    profile: Profile = "head"
    """Which state of the game it is for: by its rules actions are useless (`mask`)."""

    def __post_init__(self) -> None:
        require("actions", self.actions, get_args(Actions))
        require("profile", self.profile, get_args(Profile))

    @classmethod
    def of(cls, options: HasInterface) -> Self:
        """Return the interface that a run's configuration asks for, or an environment's options."""
        return cls(options.observation_memory, options.actions, options.profile)

    @property
    def is_plain(self) -> bool:
        """Whether it is CybORG's own, which needs no memory."""
        return not self.observation_memory and self.actions == "all"

    @property
    def observation_size(self) -> int:
        """Bits that the policy sees at each step."""
        return spec.OBSERVATION_SIZE + (MEMORY_SIZE if self.observation_memory else 0)

    @property
    def num_actions(self) -> int:
        """Actions that it chooses from."""
        return len(MERGED) if self.actions == "merged" else spec.NUM_ACTIONS

    @property
    def action_names(self) -> tuple[str, ...]:
        """What the actions are called, in order: as CybORG has it, and `Decoy HOST` for the next one of a host."""
        if self.actions == "all":
            return spec.ACTION_NAMES
        return tuple(
            f"Decoy {spec.HOST_NAMES[NEXT_DECOY - action]}" if action <= NEXT_DECOY else spec.ACTION_NAMES[action]
            for action in MERGED.tolist()
        )

    @property
    def mask(self) -> Mask | None:
        """When actions are useless, where the policy sees enough to know it: with a memory, of the merged ones.

        Analyse and Restore have a cause while Red may have a session on the host (`memory`: suspicion); Remove while
        the table says User or Privileged, for a reverse shell that Blue knows of was shown as an exploit. Analyse is
        spent while the table says that it found something, and after a Remove; a host's decoys are when all are placed.

        In the leaderboard's game a Restore of User3 and of User4 needs no cause, for it makes their mail servers immune
        to Red's heaviest exploit.

        Not quite useless is a Restore of Op_Server0 before Red has come there: its service is immune to Impact from
        then on. A defender that holds the Enterprise subnet doesn't need it.
        """
        return _MASKS[self.profile] if self.observation_memory and self.actions == "merged" else None


def _mask(profile: Profile) -> Mask:
    useful: list[tuple[int | None, int | None]] = []
    for action in MERGED.tolist():
        if action <= NEXT_DECOY:
            num_decoys = sum(map(len, DECOYS_OF_HOST[: NEXT_DECOY - action + 1]))
            useful.append((None, FIRST_BIT["faked"] + num_decoys - 1))  # the last one's: a host's are placed in order
            continue
        host = (action - spec.ANALYSE) % spec.NUM_HOSTS
        table, suspected = spec.BITS_PER_HOST * host, FIRST_BIT["suspects"]
        if action == spec.SLEEP or (action >= spec.RESTORE and host in MAIL_HOSTS and profile == "leaderboard"):
            useful.append((None, None))
        elif action >= spec.RESTORE:
            useful.append((suspected + HOSTS_THAT_MATTER.index(host), None))
        elif action >= spec.REMOVE:
            useful.append((table + _EXPLOITED, None))
        else:
            useful.append((suspected + HOSTS_THAT_MATTER.index(host), table + _FOUND))
    cause, spent = zip(*useful, strict=True)
    return Mask(cause, spent)


_MASKS: dict[Profile, Mask] = {profile: _mask(profile) for profile in get_args(Profile)}
