from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from tests.bench.conftest import Measured

SLEEPER = """
import json, os, pathlib, sys, time
kept = pathlib.Path(os.environ["NUMBA_CACHE_DIR"])
if not kept.exists():
    kept.mkdir()
    time.sleep(SECONDS)
print(json.dumps({"event": "first_episode"}), flush=True)
time.sleep(0.4)
print(json.dumps({"event": "first_episode"}))
"""


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = import_module("start")
    monkeypatch.setattr(
        module, "STARTS", {"sleeper": ("sleeper.py",), "failing": ("-c", "raise SystemExit('no luck')")}
    )
    return module


def checkout(folder: Path, seconds: float) -> Path:
    folder.mkdir()
    (folder / "sleeper.py").write_text(SLEEPER.replace("SECONDS", str(seconds)))
    return folder


def test_checkouts_are_measured_cold_then_warm(start: ModuleType, tmp_path: Path) -> None:
    checkouts = [checkout(tmp_path / "here", 0.3), checkout(tmp_path / "base", 1.2)]
    rows = {(row.moment, row.is_cold): row for row in start.measured("sleeper", checkouts, 2)}
    assert list(rows) == [("first episode", True), ("end", True), ("first episode", False), ("end", False)]
    cold = rows["first episode", True]
    assert cold.seconds >= 0.3
    assert cold.base_s >= 1.2
    assert cold.ratio < 0.95
    # the first time that it was told counts; who reads it may be late on a busy machine, so by half of the sleep
    assert rows["end", True].seconds >= cold.seconds + 0.2
    assert rows["first episode", False].base_s < 1.2


def test_what_fails_is_told(start: ModuleType) -> None:
    with pytest.raises(start.StartFailedError, match="no luck"):
        start.moments("failing", Path(sys.prefix), "/nowhere")


def test_help_is_measured_as_json(measured: Measured) -> None:
    rows = measured("start", "--starts", "help", "--rounds", "1")["rows"]
    assert [(row["start"], row["moment"], row["is_cold"]) for row in rows] == [
        ("help", "end", True),
        ("help", "end", False),
    ]
    assert all(row["seconds"] > 0 and row["base_s"] is None for row in rows)
