from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline import Config, Pipeline
from pipeline.command.process import INTERRUPTED, OK
from pipeline.experiment.folder import read_plan
from pipeline.experiment.plan import Plan
from pipeline.experiment.runner import RunEnded, RunFailed, Runner, VariantStopped
from pipeline.persist.files import read_json
from pipeline.reading.owner import is_owned, locked_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.experiment.plan import PlannedRun
    from pipeline.experiment.runner import Event
    from tests.pipeline.conftest import EndedRun

ROOT = Path(__file__).parents[3]
TINY = (
    *("--workflow", "enterprise -> op_server -> op_host -> user -> defender", "--total-episodes", "64"),
    *("--episodes-per-update", "4", "--evaluation-episodes", "8", "--compliance-threshold", "0"),
    *("--checkpoint-interval-s", "0", "--vary", "ppo.learning-rate=1e-3,3e-4", "--run-name", "rates"),
)
RATES = {"learning-rate-1e-3": 1e-3, "learning-rate-3e-4": 3e-4}
LONGEST_S = 400.0


def refused(_: PlannedRun, has_begun: bool) -> Sequence[str]:
    return ["resume" if has_begun else "train", "--no-such-option"]


def run_all(runner: Runner, num_jobs: int = 2) -> None:
    asyncio.run(runner.run(num_jobs))


def test_a_run_that_fails_is_told_and_the_others_go_on(ended_run: EndedRun, tmp_path: Path) -> None:
    plan = Plan({"one": {}, "other": {"gp_beta": 3.0}}, 2)
    ended_run("other-seed1", -14.0, gp_beta=3.0, seed=1)
    events: list[Event] = []
    runner = Runner(plan.runs(tmp_path, {}), stop_hopeless=False, arguments=refused, note=events.append)
    run_all(runner)
    assert {each.run.run_dir.name for each in events if isinstance(each, RunFailed)} == {
        "one-seed0",
        "other-seed0",
        "one-seed1",
    }
    assert {each.why for each in runner.failures} == {"exit code 2: unknown option --no-such-option: see run.py --help"}
    assert [each.run.run_dir.name for each in events if isinstance(each, RunEnded)] == ["other-seed1"]


def test_what_a_killed_run_left_of_its_folder_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "one-seed0").mkdir()
    begun: list[bool] = []

    def arguments(run: PlannedRun, has_begun: bool) -> Sequence[str]:
        begun.append(has_begun)
        return refused(run, has_begun)

    run_all(Runner(Plan({"one": {}}, 1).runs(tmp_path, {}), stop_hopeless=False, arguments=arguments, note=id))
    assert begun == [False]
    assert not (tmp_path / "one-seed0").exists()


@pytest.mark.parametrize("what", ["another run", "something else"])
def test_what_is_not_the_planned_run_is_left_alone(what: str, ended_run: EndedRun, tmp_path: Path) -> None:
    if what == "another run":
        ended_run("one-seed0", -14.0, total_episodes=99)
    else:
        (tmp_path / "one-seed0").mkdir()
        (tmp_path / "one-seed0" / "precious").write_text("")
    before = sorted(tmp_path.rglob("*"))
    runner = Runner(
        Plan({"one": {"total_episodes": 64}}, 1).runs(tmp_path, {}), stop_hopeless=False, arguments=refused, note=id
    )
    run_all(runner)
    (failure,) = runner.failures
    told = {"another run": "its total_episodes is 99, not 64: move it away", "something else": "but precious: move it"}
    assert told[what] in failure.why
    assert set(before) <= set(tmp_path.rglob("*"))


def test_hopeless_variants_get_no_more_seeds(ended_run: EndedRun, tmp_path: Path) -> None:
    returns = (-14.0, -14.5, -13.8, -16.2, -14.1, -14.0, -14.2)
    for seed, worth in enumerate(returns):
        ended_run(f"good-seed{seed}", worth, seed=seed)
        if seed < 5:
            ended_run(f"bad-seed{seed}", worth - 20, gp_beta=3.0, seed=seed)
    plan = Plan({"good": {}, "bad": {"gp_beta": 3.0}}, 7, stop_hopeless=True)
    events: list[Event] = []
    runner = Runner(plan.runs(tmp_path, {}), stop_hopeless=True, arguments=refused, note=events.append)
    run_all(runner)
    assert not runner.failures  # bad's sixth and seventh runs would be refused
    assert [each for each in events if isinstance(each, VariantStopped)] == [VariantStopped("bad", 5)]
    assert len(runner.outcomes) == 12


def test_no_one_is_hopeless_while_a_run_has_failed(ended_run: EndedRun, tmp_path: Path) -> None:
    for seed in range(5):
        ended_run(f"good-seed{seed}", -14.0, seed=seed)
        if seed:
            ended_run(f"bad-seed{seed}", -34.0, gp_beta=3.0, seed=seed)
    plan = Plan({"good": {}, "bad": {"gp_beta": 3.0}}, 7, stop_hopeless=True)
    events: list[Event] = []
    run_all(Runner(plan.runs(tmp_path, {}), stop_hopeless=True, arguments=refused, note=events.append))
    assert not [each for each in events if isinstance(each, VariantStopped)]
    assert [each.run.run_dir.name for each in events if isinstance(each, RunFailed)] == ["bad-seed0"]


@pytest.mark.timeout(2 * LONGEST_S)
async def test_killed_and_stopped_it_comes_to_the_same_bits(tmp_path: Path) -> None:
    """Of two runs, one after the other: stopped before the second has begun, killed when the first has ended."""
    folder = await until_the_end(tmp_path, 1, [signal.SIGINT, signal.SIGKILL], "--jobs=1")
    assert digests(folder) == {f"{name}-seed0": await uninterrupted(tmp_path, rate, 0) for name, rate in RATES.items()}


@pytest.mark.slow
@pytest.mark.timeout(4 * LONGEST_S)
async def test_five_seeds_killed_twice_come_to_the_same_bits(tmp_path: Path) -> None:
    folder = await until_the_end(tmp_path, 5, [signal.SIGKILL, signal.SIGKILL])
    assert digests(folder) == {
        f"{name}-seed{seed}": await uninterrupted(tmp_path, rate, seed)
        for name, rate in RATES.items()
        for seed in range(5)
    }


async def until_the_end(tmp_path: Path, num_seeds: int, signals: Sequence[signal.Signals], *options: str) -> Path:
    """Run an experiment; let each signal come when one more of its runs has learned something."""
    folder = tmp_path / "logs" / "rates"
    for index, number in enumerate(signals):
        with start(tmp_path, num_seeds, *options) as process:
            try:
                wait_for(partial(has_come_far, folder, index + 1, process))
                process.send_signal(number)
                _, err = process.communicate(timeout=LONGEST_S)
            finally:
                process.kill()
        assert process.returncode == (INTERRUPTED if number is signal.SIGINT else -number), err
        if number is signal.SIGINT:  # which waits for its runs
            assert not any(is_owned(each, locked_files()) for each in folder.iterdir())
    assert len(digests(folder)) < 2 * num_seeds
    with start(tmp_path, num_seeds, *options) as process:
        out, err = process.communicate(timeout=LONGEST_S)
    assert process.returncode == OK, err
    assert "What the defenders are worth" in out
    assert read_plan(folder).num_seeds == num_seeds
    return folder


def start(tmp_path: Path, num_seeds: int, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), "experiment", *TINY, "--seeds", str(num_seeds), *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


def has_come_far(folder: Path, num_runs: int, process: subprocess.Popen[str]) -> bool:
    """Return whether so many runs have learned something."""
    assert process.poll() is None, "it ended before it was interrupted"
    return sum(path.read_bytes().count(b"\n") > 1 for path in folder.glob("*/training_log.csv")) >= num_runs


def digests(folder: Path) -> dict[str, str]:
    ends = {path.parent.name: read_json(path) for path in folder.glob("*/summary.json")}
    return {name: end["digest"] for name, end in ends.items() if end["reason"] != "stopped"}


async def uninterrupted(tmp_path: Path, rate: float, seed: int) -> str:
    config = Config(
        workflow=TINY[1],
        total_episodes=64,
        episodes_per_update=4,
        evaluation_episodes=8,
        compliance_threshold=0,
        ppo={"learning_rate": rate},
        seed=seed,
        collector="sequential",
        log_dir=tmp_path / "alone",
    )
    async with Pipeline(config) as pipeline:
        return (await pipeline.run()).digest
