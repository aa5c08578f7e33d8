from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline.cage2.blue.interface import Interface
from pipeline.command import info
from pipeline.command.cli import main
from pipeline.command.info import print_info
from pipeline.command.process import OK
from pipeline.config import Config
from pipeline.machine import PACKAGES, describe_machine
from pipeline.play.record import HEADER, record_layout
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from pathlib import Path


def printed(config: Config, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    print_info(config)
    out, err = capsys.readouterr()
    assert err == ""
    rows = [re.split(r" {2,}", line, maxsplit=1) for line in out.splitlines() if line]
    return {row[0]: row[1] for row in rows}


def test_versions_and_machine_are_those_that_a_run_records(capsys: pytest.CaptureFixture[str]) -> None:
    rows, machine = printed(Config(), capsys), describe_machine()
    assert {name: rows[name] for name in PACKAGES} == {
        name: version or "not installed" for name, version in machine["packages"].items()
    }
    assert (rows["python"], rows["platform"]) == (machine["python"], machine["platform"])
    assert rows["processor"].startswith(f"{machine['processor']}, {machine['num_cores']} cores")
    assert re.fullmatch(r"[\d,]+\.\d MiB free|none", rows["/dev/shm"])  # noqa: S108  # the row's name


def test_what_a_container_grants_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    machine = {**describe_machine(), "num_cores": 2, "cpu_quota": 1.5, "memory_limit_bytes": 2**31}
    monkeypatch.setattr(info, "describe_machine", lambda: machine)
    rows = printed(Config(), capsys)
    assert rows["processor"] == f"{machine['processor']}, 2 cores, for the container grants 1.5"
    assert rows["memory"] == "the container grants 2,048.0 MiB"
    machine |= {"cpu_quota": None, "memory_limit_bytes": None}
    rows = printed(Config(), capsys)
    assert rows["processor"] == f"{machine['processor']}, 2 cores"
    assert rows["memory"] == "no limit"


def test_sizes_are_those_that_a_run_allocates(capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(workers=100, slots=1000, policy_lag=4, episode_steps=30)
    rows = printed(config, capsys)
    shape = PolicyShape.of(Interface(observation_memory=True, actions="merged"))
    with (
        EpisodeRing.create(HEADER, record_layout(30, shape.observation_size), config.num_slots) as ring,
        WeightBoard.create(shape.actor.num_values, config.num_slabs) as board,
    ):
        ring_bytes, board_bytes = ring.statistics().size_bytes, board.statistics().size_bytes
    assert rows["episode ring"] == f"1000 slots, {ring_bytes / 2**20:.1f} MiB"
    assert rows["weight board"] == f"28 versions, {board_bytes / 2**20:.1f} MiB"
    assert rows["shared memory"] == f"{(ring_bytes + board_bytes) / 2**20:.1f} MiB in all"
    assert rows["an episode"].endswith("(30 steps)")
    assert rows["weights"] == f"{4 * shape.actor.num_values} bytes a version"


@pytest.mark.usefixtures("in_an_empty_folder")
def test_it_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--workers", "100", "--log-dir", "there"]) == OK
    assert "workers         100, " in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
