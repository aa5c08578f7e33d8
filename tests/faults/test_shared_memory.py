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
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from native_buffers.segment import SharedSegment
from pipeline import Config, Pipeline
from pipeline.cli import OK, USAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[2]
SHM = Path("/dev/shm")  # noqa: S108  # what is left there is the test
RUN: dict[str, Any] = {"total_episodes": 48, "max_episodes_per_workflow": 32, "episodes_per_update": 16, "workers": 2}
ENDLESS = {"total_episodes": 1_000_000}
OWN_SHM = 'mount -t tmpfs -o "size=$0" none /dev/shm && "$@"; code=$?; echo "left: $(ls /dev/shm)"; exit $code'
"""Runs a command in a /dev/shm of its own, then says what is left there."""


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    async def run() -> str:
        config = Config(**RUN, collector="sequential", log_dir=tmp_path_factory.mktemp("reference"))
        async with Pipeline(config) as pipeline:
            return (await pipeline.run()).digest

    return asyncio.run(run())


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


def options(log_dir: Path, **changes: Any) -> list[str]:
    given = [f"--{key.replace('_', '-')}={value}" for key, value in {**RUN, **changes}.items()]
    return [*given, f"--log-dir={log_dir}", "--run-name=run"]


def run_py(before: Sequence[str], *arguments: str) -> subprocess.Popen[str]:
    command = [*before, sys.executable, "run.py", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("method", [{}, pytest.param({"collector": "synchronous"}, marks=pytest.mark.slow)], ids=str)
def test_what_a_container_has_is_enough(
    method: dict[str, Any], reference: str, own_shm: list[str], tmp_path: Path
) -> None:
    process = run_py([*own_shm, "64m"], *options(tmp_path, **method), "--quiet")
    out, err = process.communicate(timeout=60)
    assert process.returncode == OK, err
    assert f"digest: {reference}" in out
    assert out.endswith("left: \n")


def test_what_is_missing_is_told_in_one_line(own_shm: list[str], reference: str, tmp_path: Path) -> None:
    process = run_py([*own_shm, "64k"], *options(tmp_path))
    out, err = process.communicate(timeout=60)
    assert process.returncode == USAGE
    assert err.startswith("error: shared memory is full: ")
    assert " needed, 65,536 bytes of 65,536 bytes free in /dev/shm." in err
    assert "--shm-size=1g" in err
    assert err.count("\n") == 1
    assert out == "left: \n"
    assert list(tmp_path.iterdir()) == []

    # room for the first segment only
    process = run_py([*own_shm, "64k"], *options(tmp_path, slots=2))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (USAGE, "left: \n")
    assert err.startswith("error: shared memory is full: ")
    assert "65,536 bytes of 65,536" not in err
    assert list(tmp_path.iterdir()) == []

    # and a run that was begun elsewhere is as it was
    process = run_py([], *options(tmp_path, **ENDLESS), "--verbose")
    wait_for_line(process, "update=0 ")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    process = run_py([*own_shm, "64k"], "resume", str(tmp_path / "run"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == USAGE
    assert err.startswith("error: shared memory is full: ")
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()} == before


def wait_for_line(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"ended without a line about {text!r}")


def segments(owner: int) -> set[str]:
    return {path.name for path in SHM.glob(f"c2p-{owner}-*")}


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[set[str]]:
    """The segments of a run that was killed with all that would have cleaned up."""
    process = run_py([], *options(tmp_path / "killed", **ENDLESS), "--verbose")
    wait_for_line(process, "update=0 ")
    children = psutil.Process(process.pid).children(recursive=True)
    (tracker,) = [child for child in children if "resource_tracker" in " ".join(child.cmdline())]
    tracker.kill()
    process.kill()
    process.communicate(timeout=30)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    left = segments(process.pid)
    yield left
    for name in left:
        (SHM / name).unlink(missing_ok=True)


def test_what_a_killed_run_left_goes_at_the_next_start_and_nothing_else(
    killed: set[str], reference: str, tmp_path: Path
) -> None:
    assert len(killed) == 2  # the ring and the weights
    assert killed <= {path.name for path in SHM.iterdir()}
    with contextlib.ExitStack() as stack:
        living = stack.enter_context(SharedSegment.create(100, "test")).name
        stranger = SHM / f"not-of-ours-{os.getpid()}"
        stack.callback(stranger.unlink)
        stranger.touch()
        process = run_py([], *options(tmp_path / "next"), "--quiet")
        out, err = process.communicate(timeout=60)
        assert f"digest: {reference}" in out, err
        left = {path.name for path in SHM.iterdir()}
    assert not killed & left
    assert {living, stranger.name} <= left
    assert segments(process.pid) == set()
