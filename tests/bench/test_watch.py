from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from pipeline.reading.run import Reading

if TYPE_CHECKING:
    from pathlib import Path


def test_a_long_run_is_one_that_can_be_read(tmp_path: Path) -> None:
    long_run = import_module("parts.long_run")
    reading = Reading(long_run.write_long_run(tmp_path, "long", 10_000))
    reading.refresh()
    progress = reading.progress()
    assert (progress.updates, progress.episodes) == (156, 156 * 64)
    assert (progress.damaged_lines, progress.unreadable, progress.state) == ({}, {}, "crashed")
    assert [len(visit.rows) for visit in reading.curves.visits] == [32, 32, 32, 32, 28]
    assert [visit.ended for visit in reading.curves.visits] == [0, 1, 2, 3, None]
    assert len(reading.events.clock()[0]) == 156


@pytest.mark.timeout(300)
def test_it_measures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    bench = import_module("watch")
    arguments = ["--seconds=0.5", "--rounds=1", "--episodes=2000", "--minutes=0.01", "--workers=1", "--no-browser"]
    monkeypatch.setattr("sys.argv", ["watch.py", *arguments, "--json"])
    assert bench.main() == 0
    found = json.loads(capsys.readouterr().out)
    (opening,) = found["openings"]
    assert opening["episodes"] == 2000
    assert opening["seconds"] > 0
    assert opening["sent_kib"] > 1
    assert [speed["page"] for speed in found["speeds"]] == [False, True]
    assert all(speed["run_s"] > 0 and speed["server_s"] >= 0 and speed["episodes"] > 0 for speed in found["speeds"])
    assert found["memory"][0]["server_mib"] > 10
