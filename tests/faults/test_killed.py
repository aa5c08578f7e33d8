"""Whatever is killed, whenever: the finished run is the same to the bit, and nothing is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from pipeline import Config, Pipeline
from pipeline.types import EpisodesCollected, EpisodesLost, UpdateResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import DigestOf, RunPy

# long enough that there is always something left to kill
RUN: dict[str, Any] = {
    "total_episodes": 144,
    "finals_share": 0,
    "max_episodes_per_workflow": 84,
    "episodes_per_update": 12,
    "evaluation_episodes": 4,
    "workers": 2,
}
NUM_UPDATES = 12


@pytest.fixture(scope="module")
def reference(digest_of: DigestOf) -> str:
    return digest_of(**RUN)


def worker_pids(parent: int | None = None) -> list[int]:
    """The workers of a process: what its forkserver has forked (the resource tracker isn't forked from there)."""
    children = [p for p in psutil.Process(parent).children() if p.status() != psutil.STATUS_ZOMBIE]
    servers = [p for p in children if "forkserver" in " ".join(p.cmdline())]
    return [child.pid for server in servers for child in server.children()]


def kill(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def progress(pipeline: Pipeline) -> AsyncIterator[object]:
    async for event in pipeline.events():
        if isinstance(event, EpisodesCollected | UpdateResult | EpisodesLost):
            yield event


async def test_a_worker_that_is_terminated(reference: str, tmp_path: Path) -> None:
    """As the pool ends those that are left when one has died. `test_moments` has all other ends."""
    async with Pipeline(Config(**RUN, log_dir=tmp_path)) as pipeline:
        killed = False
        async for _ in progress(pipeline):
            if not killed and (pids := worker_pids()):
                kill(pids[:1], signal.SIGTERM)
                killed = True
        assert (await pipeline.run()).digest == reference
        assert killed
        assert pipeline.statistics().num_rebuilds == 1


async def test_all_workers_at_once_and_again(reference: str, tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path)) as pipeline:
        num_killings = 0
        async for event in pipeline.events():
            if isinstance(event, UpdateResult) and num_killings < 2 and (pids := worker_pids()):
                kill(pids, signal.SIGKILL)
                num_killings += 1
        assert (await pipeline.run()).digest == reference
        assert num_killings == 2


def segments(owner: int) -> list[str]:
    """The segments of one process: other runs may go on beside the tests."""
    return [path.name for path in Path("/dev/shm").glob(f"c2p-{owner}-*")]  # noqa: S108  # what is left there is the test


def test_the_parent_then_resume(reference: str, run_py: RunPy, tmp_path: Path) -> None:
    process = run_py("--verbose", **RUN, checkpoint_interval_s=0, log_dir=tmp_path, run_name="run")
    for _ in range(2):
        process.wait_for_line("episodes: workflow")
    workers = [psutil.Process(pid) for pid in worker_pids(process.pid)]
    assert workers
    process.kill()
    process.communicate(timeout=30)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive

    out, err = run_py("resume", str(tmp_path / "run"), "--quiet", workers=1).communicate(timeout=60)
    assert f"digest: {reference}" in out, err
    rows = (tmp_path / "run" / "training_log.csv").read_text().splitlines()
    assert len(rows) == 1 + NUM_UPDATES


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGUSR1,), (signal.SIGINT, signal.SIGHUP)],
    ids=lambda signals: str(len(signals)),
)
def test_a_stopped_run_says_how_to_go_on(signals: tuple[signal.Signals, ...], run_py: RunPy, tmp_path: Path) -> None:
    process = run_py("--verbose", **{**RUN, "total_episodes": 100_000}, log_dir=tmp_path, run_name="run")
    process.wait_for_line("episodes: workflow")
    for number in signals:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"go on with: python run.py resume {tmp_path / 'run'}" in out
    assert "Traceback" not in err
    assert segments(process.pid) == []
    checkpoint = json.loads((tmp_path / "run" / "checkpoint" / "manifest.json").read_text())
    assert checkpoint["total_episodes"] >= RUN["episodes_per_update"]


@pytest.mark.parametrize("delay_s", [0.0, 0.3, 0.8])
def test_ctrl_c_at_the_start_reaches_the_whole_terminal(delay_s: float, run_py: RunPy, tmp_path: Path) -> None:
    """It is sent to the process group, as a terminal does, while the forkserver imports."""
    process = run_py("--verbose", log_dir=tmp_path, run_name="run")
    process.wait_for_line("  run ")
    time.sleep(delay_s)  # any moment will do: the outcome has to be the same
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert "go on with:" in out
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert segments(process.pid) == []
