"""The command on files that are written here as the challenge's are; what it finds is tested in tests/fidelity."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from types import ModuleType

BENCH = Path(__file__).parents[2] / "bench"
IMAGE = ("System info", "User Info", "Processes", "Services")
"""What the file of a host's image has."""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCH)
    return import_module("scenario")


def write(scenario: dict[str, Any], folder: Path) -> None:
    (folder / "images").mkdir()
    for name, host in scenario["Hosts"].items():
        image = {key: host.pop(key) for key in IMAGE if key in host}
        (folder / "images" / f"{name}_image.yaml").write_text(yaml.safe_dump({"Test_Host": image}, sort_keys=False))
        host["image"] = f"Image of {name}"
    index = {f"Image of {name}": {"path": f"{name}_image"} for name in scenario["Hosts"]}
    (folder / "images" / "images.yaml").write_text(yaml.safe_dump(index))
    (folder / "Scenario2.yaml").write_text(yaml.safe_dump(scenario, sort_keys=False))


def test_all_that_is_otherwise_has_a_reason(
    bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = import_module("parts.other_scenario").other_scenario()
    write(other, tmp_path)
    assert bench.read_scenario(tmp_path) == import_module("parts.other_scenario").other_scenario()
    assert bench.main([str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "MAY MATTER" not in shown
    assert all(reason in shown for reason in import_module("parts.published").REASONS.values())


def test_what_may_matter_is_shown(bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = import_module("parts.other_scenario").other_scenario()
    other["Hosts"]["User3"]["Processes"][1]["Connections"][0]["local_port"] = 3390
    write(other, tmp_path)
    assert bench.main([str(tmp_path), "--all"]) == 1
    assert "Hosts/User3/Processes/1/Connections/0/local_port: ours 3389, theirs 3390" in capsys.readouterr().out


def test_cyborg_can_be_given_those_files(bench: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(import_module("parts.other_scenario").other_scenario(), tmp_path)
    arguments = ["--episodes=1", "--red=RedMeanderAgent", "--policy=random", "--json", f"--scenario={tmp_path}"]
    assert import_module("fidelity").main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["scenario"], report["steps"], report["mismatches"]) == (str(tmp_path), 100, 0)
