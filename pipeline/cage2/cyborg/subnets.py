"""The list of address ranges that CybORG makes anew at each reset, made once."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _ListedNetwork:
    """What CybORG asks of an `IPv4Network` as it lays out the network, with the answer kept."""

    def __init__(self, address: str) -> None:
        self._address = address

    def subnets(self, new_prefix: int) -> list[IPv4Network]:
        return _list_subnets(self._address, new_prefix)


@cache
def _list_subnets(address: str, new_prefix: int) -> list[IPv4Network]:
    return list(IPv4Network(address).subnets(new_prefix=new_prefix))


@contextmanager
def subnets_listed_once(state_module: Any) -> Iterator[None]:
    """Halve the time of a reset: CybORG draws three of 4,096 subnets, and would list them all anew each time."""
    state_module.IPv4Network = _ListedNetwork
    try:
        yield
    finally:
        state_module.IPv4Network = IPv4Network
