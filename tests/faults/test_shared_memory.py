"""Little shared memory: a run makes do with what a container has by default, and says what it lacks where that is less.

```
unshare --mount: run.py -> a /dev/shm of its own, 64 MiB or 64 KiB   (root)
kill -9 parent and resource tracker: segments stay -> next run.py removes them, and no others
```
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from native_buffers.segment import SharedSegment
from pipeline import Config, Pipeline
from pipeline.command.process import OK, USAGE
from pipeline.types import UpdateResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import DigestOf, Running, RunPy

SHM = Path("/dev/shm")  # noqa: S108  # what is left there is the test
RUN: dict[str, Any] = {
    "total_episodes": 48,
    "max_episodes_per_workflow": 32,
    "episodes_per_update": 16,
    "evaluation_episodes": 4,
    "workers": 2,
}
ENDLESS = {"total_episodes": 1_000_000}
OWN_SHM = 'mount -t tmpfs -o "size=$0" none /dev/shm && "$@"; code=$?; echo "left: $(ls /dev/shm)"; exit $code'
"""Runs a command in a /dev/shm of its own, then says what is left there."""


@pytest.fixture(scope="module")
def reference(digest_of: DigestOf) -> str:
    return digest_of(**RUN)


@pytest.fixture(scope="module")
def own_shm() -> list[str]:
    """What to put before size and command."""
    before = ["unshare", "--mount", "sh", "-c", OWN_SHM]
    try:
        tried = subprocess.run([*before, "64k", "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here: it is of util-linux")
    if tried.returncode != 0:
        pytest.skip(f"can't mount a /dev/shm here (root can): {tried.stderr.strip()}")
    return before


@pytest.mark.parametrize("method", [{}, pytest.param({"collector": "synchronous"}, marks=pytest.mark.slow)], ids=str)
def test_what_a_container_has_is_enough(
    method: dict[str, Any], reference: str, own_shm: list[str], run_py: RunPy, tmp_path: Path
) -> None:
    process = run_py("--quiet", before=[*own_shm, "64m"], **RUN, **method, log_dir=tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == OK, err
    assert f"digest: {reference}" in out
    assert out.endswith("left: \n")


def test_what_is_missing_is_told_in_one_line(own_shm: list[str], run_py: RunPy, tmp_path: Path) -> None:
    process = run_py(before=[*own_shm, "64k"], **RUN, log_dir=tmp_path)
    out, err = process.communicate(timeout=60)
    assert process.returncode == USAGE
    assert err.startswith("error: shared memory is full: ")
    assert " needed, 65,536 bytes of 65,536 bytes free in /dev/shm." in err
    assert "--shm-size=1g" in err
    assert err.count("\n") == 1
    assert out == "left: \n"
    assert list(tmp_path.iterdir()) == []

    # room for the first segment only
    process = run_py(before=[*own_shm, "64k"], **RUN, slots=2, log_dir=tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (USAGE, "left: \n")
    assert err.startswith("error: shared memory is full: ")
    assert "65,536 bytes of 65,536" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_begun_where_there_was_more_is_left_as_it_was(
    own_shm: list[str], run_py: RunPy, tmp_path: Path
) -> None:
    async def begin() -> None:
        config = Config(**{**RUN, **ENDLESS, "collector": "sequential"}, log_dir=tmp_path, run_name="run")
        async with Pipeline(config) as pipeline:
            async for event in pipeline.events():
                if isinstance(event, UpdateResult):
                    pipeline.stop()

    asyncio.run(begin())
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    process = run_py("resume", str(tmp_path / "run"), collector="executor", before=[*own_shm, "64k"])
    _, err = process.communicate(timeout=60)
    assert process.returncode == USAGE
    assert err.startswith("error: shared memory is full: ")
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()} == before


@dataclass(frozen=True)
class Place:
    """A /dev/shm: what is put before a command that is to see it, and where this process sees it."""

    before: list[str]
    folder: Path

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}

    def segments(self, owner: int) -> set[str]:
        return {name for name in self.names() if name.startswith(f"c2p-{owner}-")}


def everybodys() -> Place:
    """Where any run that starts meanwhile would sweep what is left: tests that go on beside this one start runs."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("side by side with others it needs a /dev/shm of its own (root can mount one)")
    return Place([], SHM)


@pytest.fixture
def place() -> Iterator[Place]:
    """One of its own, if it can be had (root can)."""
    command = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /dev/shm && echo mounted && exec sleep 600"]
    try:
        keeper = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        yield everybodys()
        return
    with keeper:
        assert keeper.stdout is not None
        if keeper.stdout.readline() == "mounted\n":
            enter = ["nsenter", f"--mount=/proc/{keeper.pid}/ns/mnt", f"--wd={Path.cwd()}"]
            yield Place(enter, Path(f"/proc/{keeper.pid}/root{SHM}"))
        else:
            yield everybodys()
        keeper.kill()


def killed_with_its_tracker(process: Running) -> None:
    """Kill a run with all that would have cleaned up."""
    children = psutil.Process(process.pid).children(recursive=True)
    (tracker,) = [child for child in children if "resource_tracker" in " ".join(child.cmdline())]
    tracker.kill()
    process.kill()
    process.communicate(timeout=30)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_what_a_killed_run_left_goes_at_the_next_start_and_nothing_else(
    place: Place, reference: str, run_py: RunPy, tmp_path: Path
) -> None:
    process = run_py("--verbose", before=place.before, **{**RUN, **ENDLESS}, log_dir=tmp_path / "killed")
    process.wait_for_line("episodes: workflow")
    killed_with_its_tracker(process)
    killed = place.segments(process.pid)
    with contextlib.ExitStack() as stack:
        for name in killed:
            stack.callback((place.folder / name).unlink, missing_ok=True)
        assert len(killed) == 2  # the ring and the weights
        living = stack.enter_context(SharedSegment.create(100, "test")).name
        (place.folder / living).touch()
        stranger = place.folder / f"not-of-ours-{os.getpid()}"
        stack.callback(stranger.unlink)
        stranger.touch()
        process = run_py("--quiet", before=place.before, **RUN, log_dir=tmp_path / "next")
        out, err = process.communicate(timeout=60)
        assert f"digest: {reference}" in out, err
        left = place.names()
    assert not killed & left
    assert {living, stranger.name} <= left
    assert not place.segments(process.pid)
