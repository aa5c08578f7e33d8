from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pipeline
from pipeline.errors import SetupError
from pipeline.extras import EXTRAS, NotInstalledError, require
from pipeline.workflows import models

if TYPE_CHECKING:
    from tests.pipeline.conftest import MakeRun

ROOT = Path(__file__).parents[2]
WITHOUT = ("torch", "gpytorch", "csle_cyborg", "uvloop")
"""What the base installation hasn't got, of what a run may need."""


def requirements(extra: str) -> set[str]:
    """Names of the distributions that an extra brings, those of the extras in it included."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    found = set()
    for requirement in extras[extra]:
        name, others = re.match(r"([\w-]+)(?:\[([\w,]+)\])?", requirement).groups()
        if name == "cage2-pipeline":
            found |= {each for other in others.split(",") for each in requirements(other)}
        else:
            found.add(name)
    return found


@pytest.mark.parametrize("package", EXTRAS)
def test_an_extra_brings_what_it_is_asked_for(package: str) -> None:
    pytest.importorskip(package, reason="its distribution can't be told")
    distributions = {name.lower().replace("_", "-") for name in packages_distributions()[package]}
    assert distributions & requirements(EXTRAS[package])


def test_every_extra_is_somebodys() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras.keys() == {*EXTRAS.values(), "dev"}
    assert requirements("dev") >= {each for extra in extras for each in requirements(extra)}


def test_what_is_missing_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    require("a page", "starlette", "uvicorn")
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # as if it were not installed
    with pytest.raises(NotInstalledError) as told:
        require("a page", "starlette", "uvicorn")
    assert str(told.value) == "a page needs uvicorn: pip install 'cage2-pipeline[watch]'"
    assert isinstance(told.value, SetupError)


def test_a_program_that_does_without_may_try_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpytorch", None)
    with pytest.raises(ImportError, match=r"^training needs gpytorch: pip install 'cage2-pipeline\[train\]'$"):
        _ = pipeline.Pipeline


def light(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process that can import none of `WITHOUT`."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({WITHOUT}))\n"
        f"from pipeline.command.cli import main\n"
        f"raise SystemExit(main({arguments}))"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--total-episodes", "9"], "training needs torch: pip install 'cage2-pipeline[train]'"),
        (["evaluate", "sleep", "--engine", "cyborg"], "playing on CybORG needs csle_cyborg: pip install '"),
        (["export", "nowhere", "--to", "x", "--format", "torch"], "--format torch needs torch: pip install '"),
    ],
)
def test_a_command_that_needs_an_extra_says_so_in_one_line(arguments: list[str], told: str) -> None:
    done = light(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {told}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("is_trained", [False, True])
def test_without_extras_agents_are_evaluated(is_trained: bool, make_run: MakeRun) -> None:
    agent = str(make_run({3: 900, 7: 300}, best=3)) if is_trained else "restore"
    arguments = ("evaluate", agent, "--episodes", "2", "--workers", "1", "--json")
    done = light(*arguments)
    assert done.returncode == 0, done.stderr
    whole = subprocess.run([sys.executable, "run.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == whole.stdout


def test_a_fit_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    models.covariances.cache_clear()
    with pytest.raises(NotInstalledError, match="the Gaussian process over orders needs torch: pip install"):
        models.covariances()
