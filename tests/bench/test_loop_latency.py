from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def test_it_measures_beside_nothing_and_beside_a_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = import_module("loop_latency")
    monkeypatch.setattr(bench, "UPDATES", (8,))
    monkeypatch.setattr("sys.argv", ["loop_latency.py", "--seconds=0.2", "--workers=1", "--json"])
    assert bench.main() == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    beside = ["nothing", "updates of 8 episodes"]
    assert [(row["loop"], row["beside"]) for row in rows] == [(loop, what) for loop in bench.LOOPS for what in beside]
    for row in rows:
        assert row["beats"] > 0
        assert 0 <= row["median_ms"] <= row["p99_ms"] <= row["p999_ms"] <= row["worst_ms"]
