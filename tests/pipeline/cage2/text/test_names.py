from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts import spec
from pipeline.cage2.text.names import STOCK, renamed


def test_cyborgs_own_are_cyborgs() -> None:
    assert STOCK.actions == spec.ACTION_NAMES
    assert [STOCK.subnet_of(index) for index in range(spec.NUM_HOSTS)] == [host.subnet for host in spec.HOSTS]


@given(st.integers(0, 2**40))
def test_a_renaming_names_each_thing_once_and_says_nothing_of_it(seed: int) -> None:
    names = renamed(seed)
    assert names == renamed(seed)
    assert len({name.casefold() for name in (*names.hosts, *names.subnets)}) == spec.NUM_HOSTS + len(spec.SUBNETS)
    assert not {*names.hosts, *names.subnets} & {*STOCK.hosts, *STOCK.subnets}
    assert [names.hosts[index] for index in names.listed] == sorted(names.hosts)
    assert len(set(names.actions)) == spec.NUM_ACTIONS


def test_seeds_rename_otherwise() -> None:
    assert len({renamed(seed) for seed in range(20)}) == 20
