"""Games in which a host has the address that a process of Defender names (`images.RECORDED_ADDRESS`): one in 4,779.

They are found by drawing networks from Python's own generator, without playing, and without the engine that they test.
"""

from __future__ import annotations

import random
from itertools import count, islice
from typing import TYPE_CHECKING

from pipeline.cage2.facts import spec
from pipeline.cage2.facts.images import RECORDED_ADDRESS
from pipeline.cage2.show.fast_view import draw_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator


def host_of(seed: int) -> str | None:
    """Return the host, not Defender, that has the address after `random.seed(seed)` and a reset; None for none."""
    hosts = draw_addresses(random.Random(seed)).hosts  # noqa: S311 - the game's own
    index = hosts.index(RECORDED_ADDRESS) if RECORDED_ADDRESS in hosts else spec.DEFENDER_INDEX
    return None if index == spec.DEFENDER_INDEX else spec.HOST_NAMES[index]


def seeds_from(first: int, num_games: int) -> Iterator[int]:
    """Yield the seeds of `num_games` such games, counting from `first` on."""
    return islice((seed for seed in count(first) if host_of(seed)), num_games)
