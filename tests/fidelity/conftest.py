"""The comparison itself is `bench/fidelity.py`; the tests run it in small."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="session")
def fidelity() -> ModuleType:
    sys.path.append(str(BENCH))
    try:
        return importlib.import_module("fidelity")
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture
def other_scenario(fidelity: ModuleType) -> dict[str, Any]:
    """What CybORG plays is not what the project made of its facts, or a wrong one is wrong on both sides."""
    module = importlib.import_module(f"{fidelity.published.__package__}.other_scenario")
    scenario: dict[str, Any] = module.other_scenario()
    return scenario
