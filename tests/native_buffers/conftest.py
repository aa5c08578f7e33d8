"""Other processes, for the tests that need them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

import native_buffers

if TYPE_CHECKING:
    from subprocess import CompletedProcess


class RunScript(Protocol):
    def __call__(self, source: str, *arguments: str, prefix: tuple[str, ...] = ()) -> CompletedProcess[str]: ...


@pytest.fixture
def run_script(tmp_path: Path) -> RunScript:
    """Run a program in a process of its own, until it and all that hold its output have ended."""

    def run(source: str, *arguments: str, prefix: tuple[str, ...] = ()) -> CompletedProcess[str]:
        script = tmp_path / "script.py"
        script.write_text(source)
        root = Path(native_buffers.__file__).parents[1]
        return subprocess.run(
            [*prefix, sys.executable, "-W", "always", str(script), *arguments],
            env=os.environ | {"PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
