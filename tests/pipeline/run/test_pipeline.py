from __future__ import annotations

import asyncio
import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import Config, Pipeline
from pipeline.persist.runs import RunFolderError
from pipeline.types import (
    CheckpointWritten,
    FirstEpisode,
    RunFinished,
    RunStarted,
    UpdateResult,
    WorkflowFinished,
    WorkflowStarted,
)

if TYPE_CHECKING:
    from pathlib import Path

RUN: dict[str, Any] = {"total_episodes": 40, "max_episodes_per_workflow": 24, "episodes_per_update": 8, "workers": 2}


async def test_a_run_reports_itself_from_start_to_end(tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path, run_name="run")) as pipeline:
        events = [event async for event in pipeline.events()]
        finished = await pipeline.run()
        statistics = pipeline.statistics()

    kinds = [type(event) for event in events]
    assert kinds[0] is RunStarted
    assert kinds[-1] is RunFinished
    assert events[-1] == finished
    assert kinds.count(FirstEpisode) == 1
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
    assert statistics.collection.num_collected == 40
    assert statistics.total_episodes == 40


async def test_the_record_is_complete(tmp_path: Path) -> None:
    config = Config(**RUN, log_dir=tmp_path, run_name="run", compliance_threshold=0)
    async with Pipeline(config) as pipeline:
        events = [event async for event in pipeline.events()]
    updates = [event for event in events if isinstance(event, UpdateResult)]
    visits = [event for event in events if isinstance(event, WorkflowFinished)]
    run_dir = tmp_path / "run"

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
    assert {
        "workflow_order": finished.best_workflow,
        "probability": max(order.probability for order in finished.tied_with_best if order.observed),
        "observed": True,
    } in summary["tied_with_best"]
    assert len(summary["pairs"]) == 10
    assert summary["settling"]["num_orders"] == len(finished.tied_with_best)
    assert sum(summary["seconds"].values()) == pytest.approx(summary["wall_s"])
    assert {"first_episode_s", "episodes_per_s", "best_env_reward", "updates"} <= summary.keys()
    assert Config.model_validate_json((run_dir / "config.json").read_bytes()) == config
    assert json.loads((run_dir / "machine.json").read_text())["packages"]["torch"]
    lines = [json.loads(line) for line in (run_dir / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines][-1] == "run_finished"
    manifest = json.loads((run_dir / "checkpoint" / "manifest.json").read_text())
    assert {policy["workflow_id"] for policy in manifest["policies"]} == {update.workflow_id for update in updates}


async def test_stop_ends_after_the_update_and_resume_goes_on(tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path, run_name="whole")) as pipeline:
        whole = await pipeline.run()
    async with Pipeline(Config(**RUN, log_dir=tmp_path, run_name="parts")) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, UpdateResult):
                pipeline.stop()
        stopped = await pipeline.run()
    assert stopped.reason == "stopped"
    assert 0 < stopped.episodes < whole.episodes

    parts = Pipeline.resume(tmp_path / "parts", workers=1)
    assert parts.config.workers == 1
    async with parts:
        resumed = await parts.run()
    assert (resumed.digest, resumed.episodes) == (whole.digest, whole.episodes)
    times = {"Collection_Time", "Update_Time"}
    rows = [
        [
            {key: row[key] for key in row.keys() - times}
            for row in csv.DictReader((tmp_path / name / log).read_text().splitlines())
        ]
        for log in ("training_log.csv", "gp_sampling_log.csv")
        for name in ("whole", "parts")
    ]
    assert rows[0] == rows[1]
    assert rows[2] == rows[3]


@pytest.mark.parametrize("when", [RunStarted, WorkflowStarted, FirstEpisode, UpdateResult])
async def test_leaving_early_keeps_the_last_update(when: type, tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path, run_name="whole")) as pipeline:
        whole = await pipeline.run()
    async with Pipeline(Config(**RUN, log_dir=tmp_path, run_name="left")) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, when):
                break
    left = Pipeline.resume(tmp_path / "left")
    async with left:
        assert (await left.run()).digest == whole.digest


async def test_cancelling_the_embedding_task_cleans_up(tmp_path: Path) -> None:
    entered = asyncio.Event()

    async def embed() -> None:
        async with Pipeline(Config(**RUN, log_dir=tmp_path, run_name="run")) as pipeline:
            async for event in pipeline.events():
                if isinstance(event, FirstEpisode):
                    entered.set()

    task = asyncio.create_task(embed())
    await asyncio.wait_for(entered.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "run" / "checkpoint" / "manifest.json").exists()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_error_in_the_body_wins(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Pipeline(Config(**RUN, log_dir=tmp_path)):
            raise ZeroDivisionError


async def test_a_failure_reaches_whoever_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path)) as pipeline:

        def fail() -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(pipeline._parts.training, "_snapshot", fail)
        with pytest.raises(OSError, match="No space left"):
            async for _ in pipeline.events():
                pass
        with pytest.raises(OSError, match="No space left"):
            await pipeline.run()
        with pytest.raises(OSError, match="No space left"):
            pipeline._running.result()
        monkeypatch.undo()
        pipeline._task = asyncio.ensure_future(asyncio.sleep(0))  # type: ignore[arg-type]  # told already, not again


async def test_checkpoints_are_written_on_the_way(tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path, checkpoint_interval_s=0)) as pipeline:
        written = [event.total_episodes async for event in pipeline.events() if isinstance(event, CheckpointWritten)]
    assert written == [8, 16, 24, 32, 40, 40]


async def test_a_run_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(RunFolderError, match="exists already"):
        async with Pipeline(Config(**RUN, log_dir=tmp_path, run_name="mine")):
            pass


async def test_stop_ends_an_evaluation_at_once_and_resume_makes_it(tmp_path: Path) -> None:
    shared = {**RUN, "policy": "shared", "total_episodes": 16, "evaluation_episodes": 50}  # of each of 120 orders
    async with Pipeline(Config(**shared, log_dir=tmp_path, run_name="whole")) as pipeline:
        whole = await pipeline.run()
        num_evaluated = pipeline.statistics().collection.num_collected - whole.episodes
    async with Pipeline(Config(**shared, log_dir=tmp_path, run_name="parts")) as pipeline:
        async with asyncio.timeout(60):
            while not pipeline._parts.training.is_evaluating:  # noqa: ASYNC110  # no event tells of it
                await asyncio.sleep(0.001)
        pipeline.stop()
        stopped = await pipeline.run()
        assert pipeline.statistics().collection.num_collected - stopped.episodes < num_evaluated
    assert stopped.reason == "stopped"
    async with Pipeline.resume(tmp_path / "parts") as resumed:
        assert (await resumed.run()).digest == whole.digest


async def test_a_run_that_is_alive_is_not_resumed(tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path)) as pipeline:
        with pytest.raises(RunFolderError, match="still alive"):
            async with Pipeline.resume(pipeline.run_dir):
                pass


def test_what_needs_a_running_pipeline_says_so(tmp_path: Path) -> None:
    pipeline = Pipeline(Config(**RUN, log_dir=tmp_path))
    with pytest.raises(RuntimeError, match="enter it first"):
        pipeline.stop()


async def test_stopping_before_the_first_step_ends_the_events(tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path)) as pipeline:
        pipeline.stop(now=True)
        async with asyncio.timeout(60):
            events = [event async for event in pipeline.events()]
        assert (await pipeline.run()).reason == "stopped"
    assert isinstance(events[-1], RunFinished)


async def test_statistics_outlive_the_run(tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, log_dir=tmp_path)) as pipeline:
        await pipeline.run()
    assert pipeline.statistics().total_episodes == 40
