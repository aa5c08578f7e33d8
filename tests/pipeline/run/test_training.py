"""What one training tells of itself; whole runs, resumed ones and those of every kind are in tests/determinism."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.persist.checkpoint import CheckpointFolder
from pipeline.persist.runs import RunFolder
from pipeline.ppo import update as ppo
from pipeline.ppo.recipe import DEFAULT
from pipeline.run.parts import assemble
from pipeline.run.training import NUM_PROMISING
from pipeline.types import (
    Estimate,
    OrdersEvaluated,
    Score,
    UpdateResult,
    WorkflowFinished,
    WorkflowResult,
    WorkflowStarted,
)
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from conftest import MakeConfig

    from pipeline import Config
    from pipeline.policy.store import PolicyState
    from pipeline.run.parts import Parts
    from pipeline.types import Event

TIMEOUT_S = 60


@contextlib.asynccontextmanager
async def playing(config: Config, resume_dir: Path | None = None) -> AsyncIterator[Parts]:
    """A run's parts, whose episodes are played in this process."""
    async with contextlib.AsyncExitStack() as stack:
        parts = await assemble(config, DEFAULT, resume_dir, stack)
        await parts.collector.start()
        collecting = asyncio.create_task(parts.collection.run())
        try:
            async with asyncio.timeout(TIMEOUT_S):
                yield parts
        finally:
            collecting.cancel()
            await asyncio.wait({collecting})


async def heard(parts: Parts) -> list[Event]:
    """Train; return what is told of it."""
    events = parts.feed.listen()
    await parts.training.run()
    parts.feed.close()
    return [event async for event in events]


async def test_training_goes_on_to_the_budget(make_config: MakeConfig) -> None:
    async with playing(make_config(collector="sequential", compliance_threshold=0, evaluation_episodes=3)) as parts:
        before = parts.training.statistics()
        assert await parts.training.run() == "budget"
        after = parts.training.statistics()
        (place,) = parts.places
        evaluated = place.evaluator.statistics()
    assert dataclasses.astuple(before) == (0, 0, 0, 0.0, ())
    assert (after.total_episodes, after.total_updates) == (40, 5)
    assert evaluated.num_episodes == 5 * 3 * 2  # any compliance ends a visit after one update; sampled and greedy
    assert after.search_s > 0
    assert evaluated.wait_s > 0


async def test_a_visit_is_told_from_pick_to_verdict(make_config: MakeConfig) -> None:
    async with playing(make_config(collector="sequential")) as parts:
        events = [event for event in await heard(parts) if isinstance(event, WorkflowStarted | UpdateResult)]
        updates = [UpdateResult] * 3, [UpdateResult] * 2
    assert [type(event) for event in events] == [WorkflowStarted, *updates[0], WorkflowStarted, *updates[1]]
    assert len({event.workflow_id for event in events[:4]}) == 1
    assert events[0].workflow_id != events[4].workflow_id


async def test_the_orders_of_a_shared_policy_are_told_before_the_verdict(make_config: MakeConfig) -> None:
    config = make_config(collector="sequential", policy="shared", total_episodes=8, evaluation_episodes=2)
    async with playing(config) as parts:
        events = await heard(parts)
    assert [type(event) for event in events[-3:]] == [UpdateResult, OrdersEvaluated, WorkflowFinished]


async def test_statistics_tell_the_parts_apart_and_what_is_believed(make_config: MakeConfig, tmp_path: Path) -> None:
    run = {"collector": "sequential", "compliance_threshold": 0, "episodes_per_visit": 8, "finals_share": 0.25}
    config = make_config(**run, total_episodes=64, finalists=2, checkpoint_interval_s=0)
    in_parts = {"search": 0, "finals": 0}
    part = "search"
    async with playing(config) as parts:
        for event in await heard(parts):
            if isinstance(event, WorkflowStarted):
                part = event.part
            elif isinstance(event, UpdateResult):
                in_parts[part] += event.num_episodes
        ended = parts.training.statistics()
        believed = await asyncio.to_thread(parts.training._search.promising, NUM_PROMISING)
    assert ended.finals_episodes == in_parts["finals"] == 16
    assert ended.total_episodes - ended.finals_episodes == in_parts["search"] == 48
    assert ended.promising == believed
    assert len(believed) == NUM_PROMISING
    async with playing(make_config(**run, total_episodes=80, finalists=2), tmp_path / "run") as parts:
        assert parts.training.statistics().finals_episodes == 16
        assert await parts.training.run() == "budget"
        assert parts.training.statistics().promising != ()


async def test_a_policy_for_all_orders_has_no_finals(make_config: MakeConfig) -> None:
    async with playing(make_config(collector="sequential", policy="shared", evaluation_episodes=2)) as parts:
        await parts.training.run()
        assert parts.training.statistics().finals_episodes == 0


async def test_a_stop_is_heeded_after_the_update_and_training_goes_on_from_there(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    async with playing(make_config(collector="sequential", run_name="whole")) as parts:
        await parts.training.run()
        whole = parts.training.digest()

    async with playing(make_config(collector="sequential")) as parts:
        training = parts.training
        stopping = asyncio.create_task(stop_after_an_update(parts))
        assert await training.run() == "stopped"
        await stopping
        stopped = training.state
        assert 0 < stopped.total_episodes < 40
        assert stopped.visits[0] is not None
        CheckpointFolder(tmp_path / "run").write(stopped)
    async with playing(make_config(collector="sequential"), tmp_path / "run") as parts:
        assert await parts.training.run() == "budget"
        assert parts.training.digest() == whole
    assert stopped.total_episodes < 40  # a state is replaced, not changed


async def stop_after_an_update(parts: Parts) -> None:
    async for event in parts.feed.listen():
        if isinstance(event, UpdateResult):
            parts.training.stop_requested = True
            return


async def test_a_checkpoint_is_taken_up_whole(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(collector="sequential", checkpoint_interval_s=0)
    async with playing(config) as parts:
        stopping = asyncio.create_task(stop_after_an_update(parts))
        await parts.training.run()
        await stopping
        digest, statistics = parts.training.digest(), parts.training.statistics()
    written = CheckpointFolder(tmp_path / "run").read()
    assert written is not None
    async with playing(config, tmp_path / "run") as parts:
        assert parts.training.digest() == digest
        assert parts.training.statistics().total_episodes == statistics.total_episodes > 0
        assert parts.training._snapshot().search == written.search
        (visit,), (again,) = written.visits, parts.training._snapshot().visits
        assert visit is not None
        assert again is not None
        assert visit.visit == again.visit
        assert all(map(torch.equal, visit.behavior_weights, again.behavior_weights))


async def test_when_every_workflow_has_had_its_share_there_is_nothing_left(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(collector="sequential")
    search = Search(seed=config.seed, beta=config.gp_beta, max_episodes_per_workflow=config.episode_cap)
    for workflow_id in range(NUM_WORKFLOWS):
        score = Score(9, Estimate(-90.0, 1.0), 0.1)
        search.finish(WorkflowResult(workflow_id, score, 8, reached_threshold=False, reason="cap"))
    folder = RunFolder.create(config)
    async with playing(make_config(run_name="fresh", collector="sequential")) as parts:
        fresh = parts.training.state
    CheckpointFolder(folder.path).write(dataclasses.replace(fresh, search=search.state()))
    folder.close()
    async with playing(config, folder.path) as parts:
        assert await parts.training.run() == "exhausted"
        report, best = await parts.training.found()
    assert (report, best) == (None, None)  # nothing was observed


@pytest.mark.parametrize("changed", ["a weight", "an observation"])
async def test_the_digest_is_of_weights_and_observations(changed: str, make_config: MakeConfig) -> None:
    async with playing(make_config(collector="sequential", total_episodes=8, compliance_threshold=0)) as parts:
        training = parts.training
        await training.run()
        before = training.digest()
        assert training.digest() == before
        if changed == "a weight":
            training.state.policies[0].tensors["critic"][0] += 1
        else:
            training.state.search["observations"][0]["env_reward"]["mean"] += 1
        assert training.digest() != before


async def test_a_visit_whose_run_is_to_end_is_not_evaluated(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop that comes in the visit's last update: an evaluation may take minutes."""
    async with playing(make_config(collector="sequential", compliance_threshold=0)) as parts:
        update = ppo.update

        def stopping(*arguments: Any, **options: Any) -> ppo.UpdateMetrics:
            parts.training.stop_requested = True
            return update(*arguments, **options)

        monkeypatch.setattr(ppo, "update", stopping)
        assert await parts.training.run() == "stopped"
        (place,) = parts.places
        assert place.evaluator.statistics().num_episodes == 0
        assert parts.training.state.total_updates == 0  # of the visit nothing was noted before


@pytest.mark.parametrize("delay_s", [0.0, 0.1])
async def test_a_failure_is_told_after_all_that_came_before_it(
    delay_s: float, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the other places are at: what a run leaves when it fails is a function of its configuration, too."""
    options = {"concurrent_visits": 3, "total_episodes": 10_000, "episodes_per_visit": 3000}
    async with playing(make_config(**options, collector="sequential", max_episodes_per_workflow=3000)) as parts:
        update, begun = ppo.update, []

        def failing(policy: PolicyState, *arguments: Any, **rest: Any) -> ppo.UpdateMetrics:
            if policy.workflow_id not in begun:
                begun.append(policy.workflow_id)
            if policy.workflow_id == max(begun):
                if policy.num_updates == 3 and len(begun) == 3:
                    raise RuntimeError("no kernel image")
            else:
                time.sleep(delay_s)
            return update(policy, *arguments, **rest)

        monkeypatch.setattr(ppo, "update", failing)
        with pytest.raises(ExceptionGroup) as caught:
            await parts.training.run()
        assert "no kernel image" in str(caught.value.exceptions[0])
        assert parts.training.state.total_updates == 3 * 3
        assert {saved and saved.visit["num_updates"] for saved in parts.training.state.visits} == {3}
