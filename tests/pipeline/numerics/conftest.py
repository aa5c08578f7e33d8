"""A copy of the project whose sources may be changed, and programs that run on it in processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]


class Tree:
    """The project's packages in a folder of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for package in ("native_buffers", "pipeline"):
            shutil.copytree(ROOT / package, path / package, ignore=shutil.ignore_patterns("__pycache__"))

    def replace(self, module: str, old: str, new: str) -> None:
        """Change one place in a module's source."""
        path = self.path.joinpath(*module.split(".")).with_suffix(".py")
        source = path.read_text()
        assert source.count(old) == 1
        path.write_text(source.replace(old, new))

    def run(self, program: str, path: Path | None = None, **options: Any) -> str:
        """Return what a program prints that imports the project from here, or from `path`; warnings are errors."""
        variables = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "PYTHONPATH")}
        done = subprocess.run(
            [sys.executable, "-P", "-W", "error", "-c", program],
            env=variables | {"PYTHONPATH": str(path or self.path)} | options.pop("env", {}),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            **options,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout


@pytest.fixture(scope="module")
def make_tree(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Tree]:
    return lambda: Tree(tmp_path_factory.mktemp("tree"))
