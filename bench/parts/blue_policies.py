"""Blue as the comparisons need it: fixed policies that reach every corner of the game."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

Policy: TypeAlias = "Callable[[random.Random, Sequence[int]], int]"
"""Chooses Blue's action by the last observation, with random numbers of its own."""


def play_random(rng: random.Random, _: Sequence[int]) -> int:
    """Choose among all actions alike."""
    return rng.randrange(spec.NUM_ACTIONS)


def play_reactive(rng: random.Random, observation: Sequence[int]) -> int:
    """Analyse, remove or restore a host that shows something; look around when none does."""
    hosts = alarmed_hosts(observation)
    if not hosts:
        return rng.choice((spec.SLEEP, spec.MONITOR, spec.ANALYSE + rng.randrange(spec.NUM_HOSTS)))
    return rng.choice((spec.ANALYSE, spec.REMOVE, spec.RESTORE)) + rng.choice(hosts)


def play_restore(rng: random.Random, observation: Sequence[int]) -> int:
    """Restore a host that shows something, sleep when none does."""
    hosts = alarmed_hosts(observation)
    return spec.RESTORE + rng.choice(hosts) if hosts else spec.SLEEP


def play_decoy(rng: random.Random, _: Sequence[int]) -> int:
    """Mostly deploy decoys; now and then remove or restore, so that there is room for more."""
    if rng.random() < 0.7:
        return rng.randrange(spec.DECOY, spec.RESTORE)
    return rng.choice((spec.REMOVE, spec.RESTORE)) + rng.randrange(spec.NUM_HOSTS)


def play_sleep(_: random.Random, __: Sequence[int]) -> int:
    """Leave the network to Red."""
    return spec.SLEEP


POLICIES: dict[str, Policy] = {
    "random": play_random,
    "reactive": play_reactive,
    "restore": play_restore,
    "decoy": play_decoy,
    "sleep": play_sleep,
}


def alarmed_hosts(observation: Sequence[int]) -> list[int]:
    """Return the hosts whose entries in the observation are not all zero."""
    width = spec.BITS_PER_HOST
    return [host for host in range(spec.NUM_HOSTS) if any(observation[width * host : width * (host + 1)])]


def find_policy(name: str) -> Policy:
    """Return a policy by its name, or one that plays the actions that a file lists, over and over.

    Raises:
        SystemExit: There is neither such a policy nor such a file.
    """
    if name in POLICIES:
        return POLICIES[name]
    if not Path(name).is_file():
        raise SystemExit(f"unknown policy {name!r}: give {', '.join(POLICIES)}, or a file of action ids")
    actions = cycle([int(word) for word in Path(name).read_text().split()])
    return lambda _, __: next(actions)
