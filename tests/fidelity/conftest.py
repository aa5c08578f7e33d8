"""The comparison itself is `bench/fidelity.py`; the tests run it in small."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

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
