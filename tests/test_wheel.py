"""What is installed is whole: every file of the packages, those that no import finds among them, and all licences."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("native_buffers", "pipeline")
LEFT_OUT = {"__pycache__"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.Path:
    """The wheel of these sources, made without a network."""
    pytest.importorskip("hatchling", reason="hatchling, which makes wheels, isn't installed")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return zipfile.Path(made)


def test_every_file_of_the_packages_is_in_it(wheel: zipfile.Path) -> None:
    held = {name for name in wheel.root.namelist() if not name.endswith("/")}
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not LEFT_OUT & {*path.parts}
    }
    assert {each.rpartition(".")[2] for each in there} >= {"py", "typed", "js", "css", "html", "svg", "txt"}
    assert there - held == set()
    assert {each for each in held - there if ".dist-info/" not in each} == set()


def test_licences_are_in_it(wheel: zipfile.Path) -> None:
    uplot = wheel / "pipeline/watch/static/uplot"
    assert "MIT License" in (uplot / "LICENSE").read_text(encoding="utf-8")
    assert "Leon Sorokin" in (uplot / "LICENSE").read_text(encoding="utf-8")
    assert (uplot / "uPlot.esm.js").exists()
    own = [name for name in wheel.root.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    assert len(own) == 1
