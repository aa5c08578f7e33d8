from __future__ import annotations

import ipaddress
from types import ModuleType
from typing import Any

import pytest

from pipeline.cage2.cyborg.subnets import subnets_listed_once


def test_the_list_is_the_same_and_made_once() -> None:
    module: Any = ModuleType("state")
    module.IPv4Network = ipaddress.IPv4Network
    with subnets_listed_once(module):
        lists = [module.IPv4Network("10.0.0.0/16").subnets(new_prefix=28) for _ in range(2)]
    assert lists[0] is lists[1]
    assert lists[0] == list(ipaddress.IPv4Network("10.0.0.0/16").subnets(new_prefix=28))
    assert module.IPv4Network is ipaddress.IPv4Network


def test_the_module_is_as_it_was_after_an_error() -> None:
    module: Any = ModuleType("state")
    with pytest.raises(KeyError), subnets_listed_once(module):
        raise KeyError
    assert module.IPv4Network is ipaddress.IPv4Network
