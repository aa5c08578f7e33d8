"""A disk that fills up: the run ends with a clear error, its last checkpoint stays good; with room again, it goes on.

run.py -(checkpoints, logs)-> tmpfs of a few policies' size          (root), or
                              a limit on file sizes, set in mid-run  (anybody)
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pipeline import Config, Pipeline
from pipeline.command.cli import main
from pipeline.command.process import FAILED, OK
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.persist.manifest import digest
from pipeline.types import UpdateResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import DigestOf, Running, RunPy

# many workflows, so that a checkpoint grows: a policy takes 326 KiB once it is trained
RUN: dict[str, Any] = {
    "total_episodes": 96,
    "finals_share": 0,
    "max_episodes_per_workflow": 16,
    "episodes_per_update": 4,
    "evaluation_episodes": 4,
    "workers": 1,
    "collector": "sequential",
}
NUM_UPDATES = 24
POLICY_BYTES = 340_000
"""More than any file of a checkpoint takes."""


@pytest.fixture(scope="module")
def reference(digest_of: DigestOf) -> str:
    return digest_of(**RUN)


def the_error_of(process: Running, log_dir: Path) -> str:
    """Wait for a run that fails; return the line that says why, having seen that nothing else went wrong."""
    _, err = process.communicate(timeout=60)
    assert process.returncode == FAILED, err
    assert "Traceback" not in err
    assert "never retrieved" not in err
    assert "Exception ignored" not in err
    *_, last = err.splitlines()
    assert last.startswith("error: "), err
    assert not list(Path("/dev/shm").glob(f"c2p-{process.pid}-*"))  # noqa: S108  # what is left there is the test
    assert not list(log_dir.rglob("*.tmp"))
    return last


def assert_whole(run_dir: Path) -> None:
    """Whether a checkpoint is there that can be read, and no file that it doesn't need."""
    checkpoint = CheckpointFolder(run_dir).read()
    assert checkpoint is not None
    manifest = (run_dir / "checkpoint" / "manifest.json").read_text()
    for path in (run_dir / "checkpoint").glob("*.safetensors"):
        assert path.name in manifest
    for log, size in checkpoint.log_sizes.items():
        content = (run_dir / log).read_bytes()
        assert len(content) >= size
        assert content.endswith(b"\n"), f"half a line in {log}"


def assert_goes_on_to(reference: str, run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["resume", str(run_dir), "--quiet"]) == OK
    assert f"digest: {reference}" in capsys.readouterr().out
    assert len((run_dir / "training_log.csv").read_text().splitlines()) == 1 + NUM_UPDATES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for a checkpoint of two policies and half of the next."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200k", "none", path],  # noqa: S607  # wherever the system has it
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"can't mount a file system here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", path], check=True)  # noqa: S607


def test_full_while_a_checkpoint_is_written(
    reference: str, run_py: RunPy, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    process = run_py(**RUN, checkpoint_interval_s=0, log_dir=small_disk, run_name="run")
    told, run_dir = the_error_of(process, small_disk), small_disk / "run"
    no_room = "No space left on device. Make room there, then resume the run: it goes on from its last checkpoint"
    assert told.startswith(f"error: can't write {run_dir}/checkpoint/")
    assert told.endswith(no_room)
    assert_whole(run_dir)

    (small_disk / "filler").write_bytes(b"x" * os.statvfs(small_disk).f_bavail * 4096)  # no room at all
    assert main(["resume", str(run_dir), "--quiet"]) == FAILED
    assert no_room in capsys.readouterr().err
    assert_whole(run_dir)
    assert not list(small_disk.rglob("*.tmp"))

    (small_disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)  # noqa: S607
    assert_goes_on_to(reference, run_dir, capsys)


def test_full_while_a_log_is_written(
    reference: str, run_py: RunPy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file may grow beyond what the log has, but for a few lines; checkpoints are smaller than that."""
    asyncio.run(stopped_run_with_a_long_log(tmp_path))
    run_dir = tmp_path / "run"
    process = run_py("resume", str(run_dir), "--verbose")
    process.wait_for_line("  run ")  # its shared memory is made
    limit = (run_dir / "events.jsonl").stat().st_size + 2500
    psutil.Process(process.pid).rlimit(resource.RLIMIT_FSIZE, (limit, limit))
    told = the_error_of(process, tmp_path)
    assert told.startswith(
        f"error: can't write {run_dir}/events.jsonl: File too large. Raise the limit on file sizes (ulimit -f), then"
    )
    assert_whole(run_dir)
    assert all(json.loads(line) for line in (run_dir / "events.jsonl").read_text().splitlines())
    assert len((run_dir / "training_log.csv").read_text().splitlines()) < 1 + NUM_UPDATES
    assert_goes_on_to(reference, run_dir, capsys)


async def stopped_run_with_a_long_log(log_dir: Path) -> None:
    """Stop a run at its first update; let its log be that of a much longer one, by its checkpoint's account too."""
    async with Pipeline(Config(**RUN, log_dir=log_dir, run_name="run")) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, UpdateResult):
                pipeline.stop()
    log, path = log_dir / "run" / "events.jsonl", log_dir / "run" / "checkpoint" / "manifest.json"
    lines = b'{"event": "one of many"}\n' * (POLICY_BYTES // 20)
    log.write_bytes(lines)
    manifest = json.loads(path.read_text())
    manifest["log_sizes"]["events.jsonl"] = len(lines)
    path.write_text(json.dumps({**manifest, "sha256": digest(manifest)}))
