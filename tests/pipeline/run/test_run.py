from __future__ import annotations

import asyncio
import contextlib
import csv
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from pipeline import Config
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.ppo.recipe import DEFAULT
from pipeline.run.run import Run
from pipeline.types import (
    CheckpointWritten,
    Compiling,
    FirstEpisode,
    RunFinished,
    RunStarted,
    UpdateResult,
    WorkersStarted,
    WorkflowFinished,
    WorkflowStarted,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import MakeConfig

TIMEOUT_S = 60


@contextlib.asynccontextmanager
async def going(config: Config) -> AsyncIterator[Run]:
    """A run that must not fail."""
    run = await Run.start(config, DEFAULT, None)
    try:
        yield run
    finally:
        await run.end()
        failure = await run.close()
    assert failure is None


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_run_says_that_machine_code_is_made_and_only_then(
    is_kept: bool, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.run.run.must_be_compiled", lambda *_: not is_kept)
    async with going(make_config(total_episodes=8)) as run:
        kinds = [type(event) async for event in run.events()]
        await run.finished()
    assert kinds[0] is RunStarted
    if is_kept:
        assert Compiling not in kinds
    else:
        assert kinds.index(Compiling) < kinds.index(WorkersStarted)
        assert Compiling not in kinds[kinds.index(UpdateResult) :]


async def test_a_run_reports_itself_from_start_to_end(make_config: MakeConfig) -> None:
    async with going(make_config()) as run:
        events = [event async for event in run.events()]
        finished = await run.finished()
        statistics = run.statistics()

    kinds = [type(event) for event in events]
    assert kinds[0] is RunStarted
    assert kinds[-1] is RunFinished
    assert events[-1] == finished
    assert kinds.count(WorkersStarted) == kinds.count(FirstEpisode) == 1
    assert kinds.count(WorkflowStarted) == kinds.count(WorkflowFinished) == 2
    updates = [event for event in events if isinstance(event, UpdateResult)]
    assert [update.num_episodes for update in updates] == [8] * 5
    assert [update.total_episodes for update in updates] == [8, 16, 24, 32, 40]
    assert [update.update for update in updates] == [0, 1, 2, 0, 1]
    for update in updates:
        assert update.total_reward == pytest.approx(update.env_reward.mean + update.alignment_bonus)
        assert 0 <= update.compliance <= 1
        # the bonus telescopes to lambda * compliance, as long as every episode has a fix action
        assert update.alignment_bonus == pytest.approx(30 * update.compliance)
    reasons = [event.result.reason for event in events if isinstance(event, WorkflowFinished)]
    assert reasons == ["cap", "budget"]
    assert (finished.reason, finished.episodes, finished.updates) == ("budget", 40, 5)
    assert statistics.collection.num_collected == 40 + statistics.num_evaluated
    assert (statistics.total_episodes, statistics.total_updates) == (40, 5)


async def test_the_record_is_complete(make_config: MakeConfig) -> None:
    config = make_config(compliance_threshold=0)
    async with going(config) as run:
        events = [event async for event in run.events()]
        run_dir, statistics = run.run_dir, run.statistics()
    updates = [event for event in events if isinstance(event, UpdateResult)]
    visits = [event for event in events if isinstance(event, WorkflowFinished)]

    training = list(csv.DictReader((run_dir / "training_log.csv").read_text().splitlines()))
    assert [(int(row["Workflow_ID"]), int(row["Update"])) for row in training] == [
        (update.workflow_id, update.update) for update in updates
    ]
    assert [float(row["Compliance"]) for row in training] == pytest.approx(
        [update.compliance for update in updates], abs=5e-5
    )
    sampling = list(csv.DictReader((run_dir / "gp_sampling_log.csv").read_text().splitlines()))
    assert [row["Workflow"] for row in sampling] == [visit.workflow_order for visit in visits]
    assert {row["GP_Updated"] for row in sampling} == {"True"}  # any compliance reaches a threshold of 0

    summary = json.loads((run_dir / "summary.json").read_text())
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert summary["digest"] == finished.digest
    assert summary["best_workflow"] == finished.best_workflow
    assert summary["num_observed"] == finished.num_observed == len({visit.result.workflow_id for visit in visits})
    tied = [order["workflow_order"] for order in summary["tied_with_best"] if order["observed"]]
    assert finished.best_workflow in tied
    assert summary["tied_with_best"] == [asdict(order) for order in finished.tied_with_best]
    assert len(summary["pairs"]) == 10
    assert summary["settling"]["num_orders"] == len(finished.tied_with_best)
    num_evaluated = 2 * sum(visit.result.score.num_evaluated for visit in visits)  # sampled, and as many greedy
    assert summary["episodes_evaluated"] == statistics.num_evaluated == num_evaluated > 0
    assert Config.model_validate_json((run_dir / "config.json").read_bytes()) == config
    assert json.loads((run_dir / "machine.json").read_text())["packages"]["torch"]
    lines = [json.loads(line) for line in (run_dir / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines][-1] == "run_finished"
    manifest = json.loads((run_dir / "checkpoint" / "manifest.json").read_text())
    assert {policy["workflow_id"] for policy in manifest["policies"]} == {update.workflow_id for update in updates}


async def test_the_time_is_accounted_for(make_config: MakeConfig) -> None:
    async with going(make_config(compliance_threshold=0)) as run:
        finished = await run.finished()
        statistics = run.statistics()
    assert statistics.seconds.keys() == {"collection", "learner", "search", "evaluation", "idle"}
    assert all(seconds > 0 for seconds in statistics.seconds.values())
    assert sum(statistics.seconds.values()) == pytest.approx(statistics.wall_s)
    assert statistics.first_episode_s is not None
    assert 0 < statistics.first_episode_s < finished.wall_s <= statistics.wall_s


async def test_checkpoints_are_written_on_the_way(make_config: MakeConfig) -> None:
    async with going(make_config(checkpoint_interval_s=0)) as run:
        written = [event.total_episodes async for event in run.events() if isinstance(event, CheckpointWritten)]
    assert written == [8, 16, 24, 32, 40, 40]


async def test_stopping_before_the_first_step_starts_no_worker(make_config: MakeConfig) -> None:
    async with going(make_config()) as run:
        run.stop(now=True)
        async with asyncio.timeout(TIMEOUT_S):
            events = [event async for event in run.events()]
        assert run.statistics().workers_alive == 0
    assert [type(event) for event in events] == [RunStarted, CheckpointWritten, RunFinished]
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "stopped"


async def test_stopping_now_waits_for_no_update(make_config: MakeConfig) -> None:
    async with going(make_config(collector="sequential", total_episodes=10**6, max_episodes_per_workflow=10**6)) as run:
        async for event in run.events():
            if isinstance(event, UpdateResult):
                run.stop(now=True)
                num_updates = run.statistics().total_updates
                break
        assert (await run.finished()).updates <= num_updates + 1  # the one that is being taken note of


async def test_who_asks_for_events_and_does_not_read_them_lags_behind_nobody(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.observe.feed.MAX_QUEUED_EVENTS", 1)
    async with going(make_config(collector="sequential")) as run:
        run.events()
        await run.finished()
        assert run.statistics().dropped_events == 0


@pytest.mark.parametrize("moment", ["just before", "at once", "while it is stopped"])
async def test_a_failure_in_the_moment_of_a_stop_is_told(
    moment: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python 3.13 on, a task group that fails cancels its owner again if that one was cancelled before."""
    run = await Run.start(make_config(collector="sequential"), DEFAULT, None)
    broken = asyncio.Event()

    async def collect() -> None:
        try:
            await broken.wait()
        except asyncio.CancelledError:
            if moment != "while it is stopped":
                raise
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(run._parts.collection, "run", collect)
    async for event in run.events():
        if isinstance(event, WorkersStarted):  # so it collects
            break
    if moment != "while it is stopped":
        broken.set()
    if moment == "just before":
        await asyncio.sleep(0)
    await run.end()
    with pytest.raises(OSError, match="Input/output error"):
        await run.finished()
    failure = await run.close()
    assert isinstance(failure, OSError)
    checkpoint = CheckpointFolder(run.run_dir).read()
    assert checkpoint is not None
    assert checkpoint.total_updates == 0  # the state that the run had
