from __future__ import annotations

import re
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from native_buffers.ring import EpisodeRing
from native_buffers.weights import WeightBoard
from pipeline.cage2.blue.interface import Interface
from pipeline.command import doctor
from pipeline.command.cli import main
from pipeline.command.process import FAILED, OK
from pipeline.extras import EXTRAS
from pipeline.machine import describe_machine
from pipeline.numerics import cache
from pipeline.play.record import HEADER, record_layout
from pipeline.policy.params import PolicyShape
from tests.pipeline.persist.test_initial import run_with, tensors

if TYPE_CHECKING:
    from pathlib import Path


class Told(dict[str, str]):
    """What was told, by name; those that are problems."""

    problems: list[str]


def told(capsys: pytest.CaptureFixture[str], *options: str, code: int = OK) -> Told:
    assert main(["doctor", *options]) == code
    out, err = capsys.readouterr()
    assert err == ""
    rows = [re.fullmatch(r"( !|  ) (\S.*?) {2,}(.*)", line) for line in out.splitlines()]
    found = Told({row[2]: row[3] for row in rows if row})
    found.problems = [row[2] for row in rows if row and row[1] == " !"]
    number = len(found.problems)
    last = "all is well" if number == 0 else f"{number} problem{'s' if number > 1 else ''}, marked with !"
    assert out.endswith(f"\n{last}\n")
    return found


def test_versions_and_machine_are_those_that_a_run_records(capsys: pytest.CaptureFixture[str]) -> None:
    rows, machine = told(capsys), describe_machine()
    packages = machine["packages"]
    for name in ("cage2-pipeline", "numpy", "numba", "pydantic"):
        assert rows[name] == packages[name]
    assert rows["train"] == f"torch {packages['torch']}, gpytorch {packages['gpytorch']}"
    assert rows["cyborg"] == f"csle_cyborg {packages['csle-cyborg']}"
    assert (rows["python"], rows["platform"]) == (machine["python"], machine["platform"])
    assert rows["processor"].startswith(f"{machine['processor']}, {machine['num_cores']} cores")
    assert re.fullmatch(r"[\d,]+\.\d MiB free|none", rows["/dev/shm"])  # noqa: S108  # the row's name
    assert rows.problems == []


def test_what_a_container_grants_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    machine = {**describe_machine(), "num_cores": 2, "cpu_quota": 1.5, "memory_limit_bytes": 2**31}
    monkeypatch.setattr(doctor, "describe_machine", lambda: machine)
    rows = told(capsys)
    assert rows["processor"] == f"{machine['processor']}, 2 cores, for the container grants 1.5"
    assert rows["memory"] == "the container grants 2,048.0 MiB"
    machine |= {"cpu_quota": None, "memory_limit_bytes": None}
    rows = told(capsys)
    assert rows["processor"] == f"{machine['processor']}, 2 cores"
    assert rows["memory"] == "no limit"


def test_sizes_are_those_that_a_run_allocates(capsys: pytest.CaptureFixture[str]) -> None:
    rows = told(capsys, "--workers=100", "--slots=1000", "--policy-lag=4", "--episode-steps=30")
    shape = PolicyShape.of(Interface(observation_memory=True, actions="merged"))
    with (
        EpisodeRing.create(HEADER, record_layout(30, shape.observation_size), 1000) as ring,
        WeightBoard.create(shape.actor.num_values, 28) as board,
    ):
        ring_bytes, board_bytes = ring.statistics().size_bytes, board.statistics().size_bytes
    assert rows["episode ring"] == f"1000 slots, {ring_bytes / 2**20:.1f} MiB"
    assert rows["weight board"] == f"28 versions, {board_bytes / 2**20:.1f} MiB"
    assert rows["shared memory"] == f"{(ring_bytes + board_bytes) / 2**20:.1f} MiB in all"
    assert rows["an episode"].endswith("(30 steps)")
    assert rows["weights"] == f"{4 * shape.actor.num_values} bytes a version"


def test_what_is_missing_is_a_problem_if_the_run_needs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in EXTRAS else object())
    rows = told(capsys, code=FAILED)
    assert rows["train"] == "not installed: pip install 'cage2-pipeline[train]'"
    assert {rows[extra] for extra in EXTRAS.values()} == {
        f"not installed: pip install 'cage2-pipeline[{extra}]'" for extra in EXTRAS.values()
    }
    assert rows.problems == ["train"]
    assert rows["GPU"] == "not looked for: torch is not installed"
    assert told(capsys, "--wandb", code=FAILED).problems == ["train", "wandb"]
    assert told(capsys, "--collector=ray", code=FAILED).problems == ["train", "ray"]


def test_too_little_shared_memory_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    rows = told(capsys, code=FAILED)
    assert rows.problems == ["/dev/shm"]  # noqa: S108  # the row's name
    assert rows["/dev/shm"].startswith("1.0 MiB free, 4.6 MiB needed: give it more")  # noqa: S108
    assert told(capsys, "--transport=pickle").problems == []


def test_shared_memory_that_is_not_there_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(doctor, "SHARED_MEMORY", tmp_path / "nowhere")
    rows = told(capsys, code=FAILED)
    assert rows["/dev/shm"] == "not there: mount it, or use --transport pickle"  # noqa: S108
    assert told(capsys, "--transport=pickle").problems == []
    assert told(capsys, "--collector=synchronous", code=FAILED).problems == ["/dev/shm"]  # noqa: S108


def test_machine_code_that_is_not_kept_is_told_and_in_nobody_s_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "why_not_kept", lambda: "machine code is compiled anew at every start: no folder")
    rows = told(capsys)
    assert rows["machine code"] == "machine code is compiled anew at every start: no folder"


def test_a_package_that_is_broken_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", fail)
    rows = told(capsys, code=FAILED)
    assert rows.problems == ["GPU"]
    assert rows["GPU"].startswith("torch is installed, but can't be imported: libcudart.so.12")


def test_what_else_is_in_the_way_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--engine=cyborg", "--cyborg=upstream", code=FAILED).problems == ["CybORG"]
    (tmp_path / "file").touch()
    assert told(capsys, f"--log-dir={tmp_path}/file/runs", code=FAILED).problems == ["runs"]


@pytest.mark.usefixtures("in_an_empty_folder")
def test_it_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "--workers=100", "--log-dir=there")["workers"].startswith("100, ")
    assert not list(tmp_path.iterdir())


def test_policies_to_start_from_are_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = {"observation_memory": False, "actions": "all"}
    run_dir = run_with(tmp_path, {3: tensors(3), 17: tensors(17)}, **plain)
    rows = told(capsys, f"--init-from={run_dir}", "--no-observation-memory", "--actions=all")
    assert rows["starts from"] == f"{run_dir}: 2 trained policies"
    rows = told(capsys, f"--init-from={run_dir}", code=FAILED)
    assert "its policies have other sizes" in rows["starts from"]
    rows = told(capsys, f"--init-from={tmp_path / 'nowhere'}", code=FAILED)
    assert rows.problems == ["starts from"]
    assert "is not the folder of a run" in rows["starts from"]


def test_an_attacker_of_ones_own_is_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "red.py"
    file.write_text("class Mine:\n    def choose(self, *_): ...\n")
    assert told(capsys, f"--red-agent={file}:Mine")["attacker"] == f"{file}:Mine: there, and can be loaded"
    rows = told(capsys, f"--red-agent={file}:Yours", code=FAILED)
    assert rows.problems == ["attacker"]
    assert "Yours" in rows["attacker"]
    file.write_text("raise ValueError('two\\nlines')")
    assert told(capsys, f"--red-agent={file}:Mine", code=FAILED).problems == ["attacker"]
