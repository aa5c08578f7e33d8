"""The bench runs, small, and prints what it promises. What it measures is nobody's test."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.machine import num_cores

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Measured, MistakeTold

COLUMNS = {
    "method",
    "workers",
    "engine",
    "episodes_per_s",
    "efficiency",
    "first_episode_s",
    "pss_bytes",
    "bytes_per_episode",
    "idle_share",
}
SYNTHETIC = ("--engine=synthetic", "--step-ms=1", "--steps=20", "--seconds=0.1", "--warm-up=0")


@pytest.mark.usefixtures("in_this_process")
def test_it_measures_what_is_asked_for(measured: Measured) -> None:
    methods = ["sequential", "synchronous", "pickle", "shm"]
    rows = measured("compare", *SYNTHETIC, "--workers=2", f"--methods={','.join(methods)}")["rows"]
    assert [(row["method"], row["workers"]) for row in rows] == list(zip(methods, (1, 2, 2, 2), strict=True))
    for row in rows:
        assert row.keys() >= COLUMNS
        assert row["engine"] == "synthetic"
        assert row["episodes"] >= 1
        assert row["window_s"] >= 0.1
        assert row["efficiency"] == pytest.approx(row["episodes_per_s"] * 0.020 / row["workers"])
        assert 0 <= row["idle_share"] < 1
    sequential, synchronous, pickle, shm = (row["bytes_per_episode"] for row in rows)
    assert sequential == 0
    assert 0 < shm < pickle
    assert 0 < synchronous < pickle
    assert rows[1]["pickled_bytes_per_episode"] == 0  # it only wakes
    assert rows[1]["raw_bytes_per_episode"] > 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is an extra")
def test_it_measures_ray(measured: Measured) -> None:
    """Slow: it starts a cluster, for half a minute of two cores. Other ways are measured above, and Ray's is compared
    with them in tests/determinism."""
    (row,) = measured("compare", *SYNTHETIC, "--workers=2", "--methods=ray")["rows"]
    assert (row["method"], row["workers"]) == ("ray", 2)
    assert row["shared_bytes_per_episode"] == 0
    assert 0 < row["pickled_bytes_to_worker"] < row["pickled_bytes_to_parent"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--workers=1,0", "1 to 1000"),
        ("--methods=shm,nope", "unknown method nope: choose from sequential"),
        ("--step-ms=5", "--step-ms needs --engine synthetic"),
        ("--seconds=nan", "more than 0"),
        ("--warm-up=-1", "--warm-up is 0 or more"),
        ("--engine=fast --methods=prototype", "no method is left"),
    ],
)
def test_a_mistake_is_told(mistake_told: MistakeTold, arguments: str, told: str) -> None:
    error = mistake_told("compare", *arguments.split())[-1]
    assert error.startswith("error: ")
    assert told in error


class FakeMeasurements:
    """Stands in for the processes: a rate for each method, or None for one that fails."""

    def __init__(self, rates: dict[str, float | None]) -> None:
        self._rates = rates

    def measure_afresh(self, job: Any) -> Any:
        from parts.rows import MeasurementFailedError, Row

        rate = self._rates[job.method]
        if rate is None:
            raise MeasurementFailedError("it fell over")
        zeros = dict.fromkeys(Row.__dataclass_fields__, 0)
        row = Row(**{**zeros, "method": job.method, "workers": job.workers, "engine": job.engine})
        return replace(row, episodes_per_s=rate * job.workers)


def compare(monkeypatch: pytest.MonkeyPatch, rates: dict[str, float | None], *arguments: str) -> int:
    bench = import_module("compare")
    monkeypatch.setattr(bench, "measure_afresh", FakeMeasurements(rates).measure_afresh)
    monkeypatch.setattr(sys, "argv", ["compare.py", f"--methods={','.join(rates)}", *arguments])
    return int(bench.main())


def test_efficiency_is_of_the_cores_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    many = 3 * num_cores()
    assert compare(monkeypatch, {"sequential": 8.0, "shm": 4.0}, f"--workers=1,{many}", "--json") == 0
    measured = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["method"], row["workers"]) for row in measured] == [("sequential", 1), ("shm", 1), ("shm", many)]
    assert [row["efficiency"] for row in measured] == [1.0, 0.5, 1.5]


def test_efficiency_is_not_known_without_sequential(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(monkeypatch, {"shm": 4.0}, "--workers=2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["efficiency"] is None


def test_what_fails_is_told_and_the_rest_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(monkeypatch, {"sequential": 8.0, "shm": None}, "--workers=2", "--json") == 1
    output, errors = capsys.readouterr()
    result = json.loads(output)
    assert [row["method"] for row in result["rows"]] == ["sequential"]
    assert result["left_out"] == {"shm, 2 workers": "it fell over"}
    assert "it fell over" in errors


def test_table_and_pictures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "compare.png"
    assert compare(monkeypatch, {"sequential": 8.0, "shm": 7.0}, "--workers=1,2", f"--plot={picture}") == 0
    assert "14.0" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
