"""What the engine forgets can be drawn again. That all of a view is CybORG's is shown in `test_view`."""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network

import numpy as np

from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts import spec
from pipeline.cage2.show.fast_view import Origins, draw_addresses


def test_addresses_lie_in_their_subnets() -> None:
    for seed in range(50):
        addresses = draw_addresses(random.Random(seed))  # noqa: S311 - the game's own
        assert len(set(addresses.subnets)) == 3
        assert len(set(addresses.hosts)) == spec.NUM_HOSTS
        for subnet, cidr in zip(spec.SUBNETS, addresses.subnets, strict=True):
            usable = set(ip_network(cidr).hosts())
            assert {ip_address(addresses.hosts[host]) for host in subnet.hosts} <= usable


def test_they_are_those_of_the_episode_that_is_played() -> None:
    """Whatever is played meanwhile, and in whichever place of a batch."""
    batch = GameBatch(2, "RedMeanderAgent")
    origins = Origins(batch)
    origins.reset([3, None], np.array([0, 1]))
    first = origins.addresses(0)
    batch.step(np.array([20, 20]))
    assert origins.addresses(0) == first
    origins.reset([None], np.array([0]))
    second = origins.addresses(0)
    origins.reset([None, 3], np.array([0, 1]))
    assert origins.addresses(1) == first
    assert len({first, second, origins.addresses(0)}) == 3


def test_looking_changes_nothing() -> None:
    batch = GameBatch(1, "B_lineAgent")
    origins = Origins(batch)
    for seed in (5, None):
        origins.reset([seed], np.array([0]))
        before = batch.generator_state(0)
        origins.addresses(0)
        assert batch.generator_state(0) == before
