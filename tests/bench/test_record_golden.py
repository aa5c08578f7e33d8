from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "fidelity" / "golden.json"


@pytest.mark.parametrize("index", [0, -1])
def test_what_is_recorded_is_what_is_kept(index: int) -> None:
    bench = import_module("record_golden")
    kept = json.loads(GOLDEN.read_text())
    assert len(kept) == len(bench.GAMES)
    assert bench.record(*bench.GAMES[index]) == kept[index]
