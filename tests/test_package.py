"""What is installed: built as a release is, without the network, and looked at; and installed, in `make test-slow`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("hatchling", reason="builds releases; `make test` installs it")

from hatchling.build import build_sdist, build_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SOURCES = ("native_buffers", "pipeline")
MAX_SECONDS = 2.0
"""Of processor time, for what a program imports that plays: it takes 0.8 on an idle core."""


def of_the_repository(*folders: str) -> set[str]:
    """Return its files, or those of some folders."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no repository, but a copy of what is in it")
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", *folders)
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def test_the_version_is_one_wherever_it_stands() -> None:
    """And so is its day."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (latest, day), *_ = re.findall(r"(?m)^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text())
    assert latest == version
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"(?m)^version: (.+)$|^date-released: (.+)$", citation) == [(version, ""), ("", day)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield folder / build_wheel(str(folder))


def test_a_wheel_holds_the_packages_with_what_is_beside_their_modules_and_nothing_else(wheel: Path) -> None:
    files = set(zipfile.ZipFile(wheel).namelist())
    info = {file for file in files if ".dist-info/" in file}
    assert files - info == of_the_repository(*SOURCES)
    assert {"pipeline/watch/static/index.html", "pipeline/export/forms/numpy.txt"} <= files
    (licence,) = (file for file in info if file.endswith("LICENSE"))
    assert zipfile.ZipFile(wheel).read(licence) == (ROOT / "LICENSE").read_bytes()
    assert b"Leon Sorokin" in zipfile.ZipFile(wheel).read("pipeline/watch/static/uplot/LICENSE")  # of what is shipped


def test_nothing_of_it_runs_by_itself(wheel: Path) -> None:
    """No code at the start of Python (`.pth`), nor by entry points of pytest, gymnasium or whoever looks for one."""
    with zipfile.ZipFile(wheel) as archive:
        assert not [file for file in archive.namelist() if file.endswith(".pth") or ".data/" in file]
        (file,) = (file for file in archive.namelist() if file.endswith("entry_points.txt"))
        entry_points = ConfigParser()
        entry_points.read_string(archive.read(file).decode())
    assert {section: dict(entry_points[section]) for section in entry_points.sections()} == {
        "console_scripts": {"cage2-pipeline": "pipeline.command.cli:main"}
    }


def test_a_source_distribution_is_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with tarfile.open(tmp_path / build_sdist(str(tmp_path))) as archive:
        files = {name.partition("/")[2] for name in archive.getnames()}
    assert files - {"PKG-INFO"} == of_the_repository()


@pytest.mark.slow
def test_the_base_installation_plays_and_says_what_it_lacks(wheel: Path, tmp_path: Path) -> None:
    """In a new environment, from the package index: minutes."""
    venv.create(tmp_path / "venv", with_pip=True)
    python, program = (tmp_path / "venv/bin" / name for name in ("python", "cage2-pipeline"))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*map(str, command)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    installed = run(python, "-m", "pip", "install", wheel)
    assert installed.returncode == 0, installed.stderr
    assert run(python, "-m", "pip", "check").returncode == 0
    played = run(python, "-c", "import gymnasium; gymnasium.make('pipeline.cage2.gym:Cage2-v0').reset(seed=1)")
    assert played.returncode == 0, played.stderr
    timed = run(python, "-c", "import time; from pipeline.cage2.gym.env import Cage2GymEnv; print(time.process_time())")
    assert float(timed.stdout) < MAX_SECONDS
    arguments = ("evaluate", "restore", "--episodes", "2", "--json")
    evaluated = json.loads(run(program, *arguments).stdout)
    assert evaluated["version"] == wheel.name.split("-")[1]
    here = subprocess.run([sys.executable, "run.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert evaluated["scenarios"] == json.loads(here.stdout)["scenarios"]
    lacking = run(program, "--total-episodes", "10")
    assert (lacking.returncode, lacking.stdout) == (2, "")
    assert lacking.stderr == "error: training needs torch: pip install 'cage2-pipeline[train]'\n"
