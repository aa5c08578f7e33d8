"""A checkpoint that is damaged is refused in one line; one whose writing was killed half-way is as good as any."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import Config, Pipeline
from pipeline.command.cli import main
from pipeline.command.process import OK, USAGE
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.persist.manifest import digest
from pipeline.types import UpdateResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import DigestOf, Running, RunPy

RUN: dict[str, Any] = {
    "total_episodes": 96,
    "finals_share": 0,
    "max_episodes_per_workflow": 32,
    "episodes_per_update": 4,
    "evaluation_episodes": 4,
    "workers": 1,
    "collector": "sequential",
}
NUM_UPDATES = 24


async def run(config: Config, stop_after: int | None = None) -> str:
    async with Pipeline(config) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, UpdateResult) and event.total_episodes == stop_after:
                pipeline.stop()
        return (await pipeline.run()).digest


@pytest.fixture(scope="module")
def reference(digest_of: DigestOf) -> str:
    return digest_of(**RUN)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that were stopped: `run`, and `other` of another seed."""
    log_dir = tmp_path_factory.mktemp("runs")
    asyncio.run(run(Config(**RUN, log_dir=log_dir, run_name="run"), stop_after=40))
    asyncio.run(run(Config(**RUN, log_dir=log_dir, run_name="other", seed=1), stop_after=40))
    return log_dir


@pytest.fixture
def run_dir(runs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs / "run", tmp_path / "run"))


def policy_files(run_dir: Path) -> list[Path]:
    return sorted((run_dir / "checkpoint").glob("policy-*.safetensors"))


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def edit(path: Path, checksum: bool = False, **changes: object) -> None:
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({**values, "sha256": digest(values)} if checksum else values))


def swap(run_dir: Path, runs: Path) -> None:
    """Give a run another one's policies and manifest, all whole."""
    shutil.rmtree(run_dir / "checkpoint")
    shutil.copytree(runs / "other" / "checkpoint", run_dir / "checkpoint")


DAMAGES: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "policy cut": (
        lambda run, _: cut(policy_files(run)[0], 100_000),
        "was altered or damaged: its checksum doesn't fit",
    ),
    "policy empty": (lambda run, _: cut(policy_files(run)[1], 0), "was altered or damaged: its checksum doesn't fit"),
    "policy altered": (lambda run, _: flip(policy_files(run)[0], 200_000), "its checksum doesn't fit. Restore it, or"),
    "policy gone": (lambda run, _: policy_files(run)[0].unlink(), "the checkpoint lacks "),
    "policy of another run": (
        lambda run, runs: shutil.copy(policy_files(runs / "other")[0], policy_files(run)[0]),
        "its checksum doesn't fit",
    ),
    "manifest cut": (lambda run, _: cut(run / "checkpoint/manifest.json", 1000), "can't read "),
    "manifest altered": (
        lambda run, _: edit(run / "checkpoint/manifest.json", total_updates=3),
        "was altered or damaged: its checksum doesn't fit",
    ),
    "another version's": (
        lambda run, _: edit(run / "checkpoint/manifest.json", checksum=True, format=9),
        "is not a checkpoint of format 2: go on with the version that wrote it",
    ),
    "another version's, same format": (
        lambda run, _: edit(run / "checkpoint/manifest.json", checksum=True, later=2),
        "later: Extra inputs are not permitted. Go on with the version that wrote it",
    ),
    "another configuration's": (swap, "is of another configuration: there seed is 1, in the run's config.json 0."),
    "configuration edited": (
        lambda run, _: edit(run / "config.json", episodes_per_update=5),
        "is of another configuration: there episodes_per_update is 4, in the run's config.json 5. Put back what was",
    ),
    "configuration cut": (lambda run, _: cut(run / "config.json", 50), "can't read "),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_in_one_line_and_nothing_is_touched(
    damage: str, run_dir: Path, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cause, told = DAMAGES[damage]
    cause(run_dir, runs)
    before = contents(run_dir)
    assert main(["resume", str(run_dir), "--quiet"]) == USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert told in err
    assert err.removesuffix("\n").isprintable()
    assert contents(run_dir) == before


def test_undamaged_it_goes_on_to_the_same_bits(
    run_dir: Path, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(run_dir / "config.json", checkpoint_interval_s=1.0, debug=True)  # what is free to change
    assert main(["resume", str(run_dir), "--quiet"]) == OK
    assert f"digest: {reference}" in capsys.readouterr().out


@pytest.mark.parametrize("lost", [1, 100, 10**9])
def test_a_log_that_a_power_cut_made_shorter_is_no_obstacle(
    lost: int, run_dir: Path, reference: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("training_log.csv", "gp_sampling_log.csv", "events.jsonl"):
        cut(run_dir / name, max(0, (run_dir / name).stat().st_size - lost))
    num_updates = json.loads((run_dir / "checkpoint" / "manifest.json").read_text())["total_updates"]
    assert main(["resume", str(run_dir), "--quiet"]) == OK
    assert f"digest: {reference}" in capsys.readouterr().out
    header, *rows = (run_dir / "training_log.csv").read_text().splitlines()
    assert header.startswith("Workflow_ID,")
    assert all(row.count(",") == header.count(",") for row in rows)
    assert NUM_UPDATES - num_updates <= len(rows) < NUM_UPDATES
    assert all(json.loads(line) for line in (run_dir / "events.jsonl").read_text().splitlines())


# --- kill -9 while it is being written ---


def kill_within_a_write(process: Running, checkpoint: Path) -> str | None:
    """Kill a run at the first moment that a file is half written; return its name, None if the run was over before."""
    deadline_s = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            half = [name for name in os.listdir(checkpoint) if name.endswith(".tmp")]  # noqa: PTH208  # it has to be fast
        except FileNotFoundError:
            half = []
        if half:
            process.kill()
            process.communicate(timeout=30)
            return half[0]
    process.kill()
    process.communicate(timeout=30)
    return None


def test_killed_again_and_again_while_it_writes(
    reference: str, run_py: RunPy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir, rng, killed_in = tmp_path / "run", random.Random(1), []  # noqa: S311  # moments to kill at
    for number in range(3):
        if number == 0:
            process = run_py("--verbose", **RUN, checkpoint_interval_s=0, log_dir=tmp_path, run_name="run")
        else:
            process = run_py("resume", str(run_dir), "--verbose")
        process.wait_for_line("episodes: workflow")  # let it come a little further than the last time
        time.sleep(rng.uniform(0, 0.1))  # any moment will do: the outcome has to be the same
        killed_in.append(kill_within_a_write(process, run_dir / "checkpoint"))
        checkpoint = CheckpointFolder(run_dir).read()
        assert checkpoint is None or checkpoint.total_updates <= NUM_UPDATES
    assert [name for name in killed_in if name], "never within a write"
    assert main(["resume", str(run_dir), "--quiet"]) == OK
    assert f"digest: {reference}" in capsys.readouterr().out
    assert len((run_dir / "training_log.csv").read_text().splitlines()) == 1 + NUM_UPDATES
    assert not list(run_dir.rglob("*.tmp"))


@pytest.mark.parametrize("search", [{}, {"seed": 0}, {"observations": 3}])
def test_a_state_that_can_not_be(search: dict[str, Any], run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(run_dir / "checkpoint/manifest.json", checksum=True, search=search)
    assert main(["resume", str(run_dir), "--quiet"]) == USAGE
    assert "holds a state that can't be" in capsys.readouterr().err
