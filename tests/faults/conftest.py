"""What the tests of faults share: runs as processes of their own, and the bits that a run in peace comes to."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pipeline import Config, Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]


class Running(subprocess.Popen[str]):
    """`run.py` as a process of its own."""

    def wait_for_line(self, text: str) -> None:
        """Read its log, on stderr, up to a line."""
        assert self.stderr is not None
        for line in self.stderr:
            if text in line:
                return
        pytest.fail(f"ended without a line about {text!r}")


class RunPy(Protocol):
    """Starts `run.py`."""

    def __call__(self, *arguments: str, before: Sequence[str] = (), **options: object) -> Running:
        """Start it.

        Args:
            arguments: As they are.
            before: What the command is put behind.
            options: More arguments, by the configuration's names.
        """
        ...


class DigestOf(Protocol):
    """Runs a configuration in peace, once a session."""

    def __call__(self, **configuration: Any) -> str:
        """Return its digest, which is the same for all methods of collection."""
        ...


@pytest.fixture
def run_py() -> Iterator[RunPy]:
    """What starts runs; none of them outlives the test."""
    started: list[Running] = []

    def start(*arguments: str, before: Sequence[str] = (), **options: object) -> Running:
        given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        command = [*before, sys.executable, "run.py", *arguments, *given]
        started.append(
            Running(
                command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,  # a signal to its group is for it alone
            )
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:  # the test failed
            process.kill()
        if process.stdout is not None and not process.stdout.closed:
            process.communicate(timeout=30)


@pytest.fixture(scope="session")
def digest_of(tmp_path_factory: pytest.TempPathFactory) -> DigestOf:
    known: dict[str, str] = {}

    async def run(configuration: dict[str, Any]) -> str:
        configuration = {**configuration, "workers": 1, "collector": "sequential"}
        async with Pipeline(Config(**configuration, log_dir=tmp_path_factory.mktemp("peace"))) as pipeline:
            return (await pipeline.run()).digest

    def digest_of(**configuration: Any) -> str:
        key = repr(sorted(configuration.items()))
        if key not in known:
            known[key] = asyncio.run(run(configuration))
        return known[key]

    return digest_of
