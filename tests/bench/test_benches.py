"""Each bench runs, small, and prints what it promises. What it measures is nobody's test."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cage2.facts.spec import NUM_HOSTS, OBSERVATION_SIZE
from pipeline.machine import num_cores

BENCH = Path(__file__).parents[2] / "bench"
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
SYNTHETIC = ("--engine=synthetic", "--step-ms=1", "--steps=20", "--seconds=0.1")


@pytest.fixture(autouse=True)
def bench_is_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH / script), *arguments], capture_output=True, text=True, timeout=110, check=False
    )


def rows(script: str, *arguments: str) -> list[dict[str, Any]]:
    result = run(script, *arguments, "--json")
    assert result.returncode == 0, result.stderr
    return list(json.loads(result.stdout)["rows"])


@pytest.mark.parametrize(("engine", "methods"), [("cyborg", "shm,prototype"), ("fast", "shm,pickle")])
def test_throughput(engine: str, methods: str) -> None:
    measured = rows("throughput.py", f"--engine={engine}", f"--methods={methods}", "--episodes=4", "--rounds=1")
    assert [row["method"] for row in measured] == methods.split(",")
    for row in measured:
        assert row["engine"] == engine
        assert row["episodes_per_s"] > 0
        assert {"workers", "first_episode_s", "pss_bytes", "serialization_us_per_episode"} <= row.keys()
    shm, other = measured
    assert shm["pickled_bytes_per_episode"] < other["pickled_bytes_per_episode"] / 100
    if other["method"] == "pickle":  # a task's slots come back as they are
        assert 1.0 <= other["pickled_bytes_to_parent"] / shm["shared_bytes_per_episode"] < 1.01


def test_compare() -> None:
    methods = ["sequential", "synchronous", "pickle", "shm"]
    measured = rows("compare.py", *SYNTHETIC, "--workers=2", f"--methods={','.join(methods)}")
    assert [(row["method"], row["workers"]) for row in measured] == list(zip(methods, (1, 2, 2, 2), strict=True))
    for row in measured:
        assert row.keys() >= COLUMNS
        assert row["engine"] == "synthetic"
        assert row["episodes"] >= 1
        assert row["window_s"] >= 0.1
        assert row["efficiency"] == pytest.approx(row["episodes_per_s"] * 0.020 / row["workers"])
        assert 0 <= row["idle_share"] < 1
    sequential, synchronous, pickle, shm = (row["bytes_per_episode"] for row in measured)
    assert sequential == 0
    assert 0 < shm < pickle
    assert 0 < synchronous < pickle
    assert measured[1]["pickled_bytes_per_episode"] == 0  # it only wakes
    assert measured[1]["raw_bytes_per_episode"] > 0


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is an extra")
def test_compare_ray() -> None:
    (row,) = rows("compare.py", *SYNTHETIC, "--workers=2", "--methods=ray")
    assert (row["method"], row["workers"]) == ("ray", 2)
    assert row["shared_bytes_per_episode"] == 0
    assert 0 < row["pickled_bytes_to_worker"] < row["pickled_bytes_to_parent"]


def test_engine() -> None:
    measured = rows("engine.py", "--seconds=0.01", "--red=B_lineAgent")
    assert {row["engine"] for row in measured} == {"cyborg", "cyborg-wrapped", "fast", "fast-gymnasium"}
    assert {"engine", "red_agent", "batch", "policy", "steps_per_s"} <= measured[0].keys()


@pytest.mark.parametrize(
    ("script", "arguments", "told"),
    [
        ("throughput.py", "--workers=0", "at least 1"),
        ("compare.py", "--workers=1,0", "1 to 1000"),
        ("compare.py", "--methods=shm,nope", "unknown method nope: choose from sequential"),
        ("compare.py", "--step-ms=5", "--step-ms needs --engine synthetic"),
        ("compare.py", "--seconds=nan", "more than 0"),
        ("compare.py", "--engine=fast --methods=prototype", "no method is left"),
    ],
)
def test_a_mistake_is_told(script: str, arguments: str, told: str) -> None:
    result = run(script, *arguments.split())
    assert result.returncode == 2
    error = result.stderr.splitlines()[-1]
    assert error.startswith("error: ")
    assert told in error
    assert "Traceback" not in result.stderr


class FakeMeasurements:
    """Stands in for the processes: a rate for each method, or None for one that fails."""

    def __init__(self, rates: dict[str, float | None]) -> None:
        self._rates = rates

    def measure_afresh(self, job: Any) -> Any:
        from rows import MeasurementFailedError, Row

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


@pytest.mark.parametrize("spread", ["none", "mild", "heavy"])
def test_synthetic_steps_have_the_mean_that_was_asked_for(spread: Any) -> None:
    from synthetic import SIGMA, step_seconds

    seconds = np.concatenate([step_seconds(seed, 100, 10.0, spread) for seed in range(1000)])
    deviation = np.sqrt(np.expm1(SIGMA[spread] ** 2))  # of a log-normal whose mean is 1
    standard_error = 0.010 * deviation / np.sqrt(len(seconds))
    assert abs(seconds.mean() - 0.010) <= 4 * standard_error + 1e-12
    assert np.median(seconds) == pytest.approx(0.010 * np.exp(-(SIGMA[spread] ** 2) / 2), rel=0.02)


def test_synthetic_episodes_repeat() -> None:
    from synthetic import step_seconds, synthetic_game

    times = [step_seconds(seed, 50, 10.0, "heavy").tolist() for seed in (3, 4, 3)]
    assert times[0] == times[2] != times[1]
    game = synthetic_game(50, 0.001, "heavy")
    seen = []
    for seed in (3, 4, 3):
        env = game.env()
        first = env.reset(seed)
        steps = [env.step(action) for action in range(50)]
        seen.append([first.tolist(), *((observation.tolist(), reward) for observation, reward in steps)])
        observations = np.array([observation for observation, _ in steps])  # [T, 52]
        assert observations.shape == (50, OBSERVATION_SIZE)
        assert len(np.unique(observations, axis=0)) == 8
        assert len({reward for _, reward in steps}) > 1
        assert 0 < env.red_hosts() < 1 << NUM_HOSTS
    assert seen[0] == seen[2] != seen[1]


async def test_a_window_lies_between_arrivals() -> None:
    from meter import Meter

    meter = Meter()

    async def arrive_by_fours() -> None:
        while True:
            await asyncio.sleep(0.01)
            for _ in range(4):
                meter.busy_s += 0.5
                meter.count()

    async with asyncio.TaskGroup() as group:
        arriving = group.create_task(arrive_by_fours())
        window = await meter.window(0.05, 21)
        arriving.cancel()
    assert window.num_episodes >= 24
    assert window.num_episodes % 4 == 0  # whole tasks
    assert window.busy_s == window.num_episodes * 0.5
    assert window.seconds >= 0.05
    assert meter.first_s is not None
    assert 0 < meter.first_s < window.seconds + meter.first_s


def test_a_tap_sees_what_passes() -> None:
    from meter import PipeTap

    send = Connection._send_bytes  # type: ignore[attr-defined]
    here, there = Pipe()
    tap = PipeTap()
    with here, there:
        with tap.open():
            here.send_bytes(b"")
            here.send_bytes(b"abc")
            assert [there.recv_bytes(), there.recv_bytes()] == [b"", b"abc"]
            here.send_bytes(b"defgh")
            there.recv_bytes()
        here.send_bytes(b"not seen")
    assert (tap.num_sent_bytes, tap.num_received_bytes) == (8, 8)
    assert (tap.last_sent, tap.last_received) == (b"defgh", b"defgh")
    assert Connection._send_bytes is send  # type: ignore[attr-defined]
