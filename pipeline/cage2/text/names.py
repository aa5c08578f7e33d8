"""What hosts, subnets and actions are called in a game that is told in words: as in CybORG, or by a renaming.

A language model may have read about CAGE-2. A renaming leaves the game as it is and takes away what is known by name.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline import seeding
from pipeline.cage2.facts import spec

_HOSTS = (
    *("Alder", "Aspen", "Beech", "Birch", "Cedar", "Cherry", "Cypress", "Elder", "Elm", "Fir", "Hawthorn", "Hazel"),
    *("Hemlock", "Holly", "Juniper", "Larch", "Laurel", "Linden", "Maple", "Oak", "Olive", "Pine", "Poplar", "Rowan"),
    *("Spruce", "Sycamore", "Walnut", "Willow", "Yew"),
)
_SUBNETS = ("Amber", "Azure", "Copper", "Coral", "Indigo", "Ivory", "Jade", "Ochre", "Scarlet", "Silver", "Violet")


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a game."""

    hosts: tuple[str, ...]
    """`[13]`, in the order of `spec.HOSTS`; no two are the same but for upper and lower case."""
    subnets: tuple[str, ...]
    """`[3]`, in the order of `spec.SUBNETS`."""
    listed: tuple[int, ...]
    """`[13]`, indices of the hosts in the order in which they are told of."""

    @property
    def actions(self) -> tuple[str, ...]:
        """`[145]`, in the order of `spec.ACTION_NAMES`."""
        return (
            *spec.ACTION_NAMES[: spec.ANALYSE],
            *(f"{action} {host}" for action in spec.HOST_ACTIONS for host in self.hosts),
        )

    def subnet_of(self, host: int) -> str:
        """Return the name of the subnet that a host, by its index, is in."""
        (name,) = (name for name, subnet in zip(self.subnets, spec.SUBNETS, strict=True) if host in subnet.hosts)
        return name


STOCK = Names(spec.HOST_NAMES, tuple(subnet.name for subnet in spec.SUBNETS), tuple(range(spec.NUM_HOSTS)))
"""CybORG's own."""


def renamed(seed: int) -> Names:
    """Return names that say nothing of what a host is for; hosts are told of in their alphabetical order.

    Args:
        seed: `>= 0`; the same names each time.
    """
    rng = seeding.generator(seed, seeding.Stream.NAMES)
    hosts = tuple(_HOSTS[place] for place in rng.permutation(len(_HOSTS))[: spec.NUM_HOSTS])
    subnets = tuple(_SUBNETS[place] for place in rng.permutation(len(_SUBNETS))[: len(spec.SUBNETS)])
    return Names(hosts, subnets, tuple(sorted(range(spec.NUM_HOSTS), key=hosts.__getitem__)))
