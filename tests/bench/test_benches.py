"""Each bench runs, small, and prints what it promises. What it measures is nobody's test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"


def rows(script: str, *arguments: str) -> list[dict[str, Any]]:
    result = subprocess.run(
        [sys.executable, str(BENCH / script), *arguments, "--json"],
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
    )
    return list(json.loads(result.stdout)["rows"])


@pytest.mark.parametrize(("engine", "methods"), [("cyborg", "shm,pickle,prototype"), ("fast", "shm,pickle")])
def test_throughput(engine: str, methods: str) -> None:
    measured = rows("throughput.py", f"--engine={engine}", f"--methods={methods}", "--episodes=4", "--rounds=1")
    assert [row["method"] for row in measured] == methods.split(",")
    for row in measured:
        assert row["engine"] == engine
        assert row["episodes_per_s"] > 0
        assert {"workers", "first_episode_s", "pss_bytes", "serialization_us_per_episode"} <= row.keys()
    assert measured[0]["pickled_bytes_per_episode"] < measured[1]["pickled_bytes_per_episode"] / 100


def test_engine() -> None:
    measured = rows("engine.py", "--seconds=0.01", "--red=B_lineAgent")
    assert {row["engine"] for row in measured} == {"cyborg", "cyborg-wrapped", "fast", "fast-gymnasium"}
    assert {"engine", "red_agent", "batch", "policy", "steps_per_s"} <= measured[0].keys()


def test_a_mistake_is_told() -> None:
    result = subprocess.run(
        [sys.executable, str(BENCH / "throughput.py"), "--workers=0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert "at least 1" in result.stderr
    assert "Traceback" not in result.stderr
