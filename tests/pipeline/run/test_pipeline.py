from __future__ import annotations

import asyncio
import csv
import inspect
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline import Pipeline
from pipeline.cage2.attackers import meander
from pipeline.cage2.attackers.errors import AttackerNotFoundError
from pipeline.cage2.attackers.reference import source_digests
from pipeline.cage2.facts.order_names import order_name
from pipeline.hyperparameters import Hyperparameters
from pipeline.persist.budget import BudgetLeftError, record_budget, with_budget
from pipeline.persist.initial import InitialPoliciesError
from pipeline.persist.runs import RunFolderError, read_config
from pipeline.ppo.recipe import DEFAULT, RecipeError
from pipeline.run.run import Run
from pipeline.types import FirstEpisode, RunStarted, UpdateResult, WorkflowStarted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import MakeConfig

    from pipeline import Config


async def test_stop_ends_after_the_update_and_resume_goes_on(make_config: MakeConfig, tmp_path: Path) -> None:
    async with Pipeline(make_config(run_name="whole")) as pipeline:
        whole = await pipeline.run()
    async with Pipeline(make_config(run_name="parts")) as pipeline:
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


async def test_a_run_is_trained_by_the_hyper_parameters_that_it_sets(make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(run_name="set", ppo=Hyperparameters(learning_rate=3e-4, num_epochs=1))
    async with Pipeline(config) as pipeline:
        updates = [event async for event in pipeline.events() if isinstance(event, UpdateResult)]
    assert {update.num_epochs for update in updates} == {1}
    assert updates[0].learning_rate == 3e-4
    run = await Run.start(make_config(run_name="given"), replace(DEFAULT, learning_rate=3e-4, num_epochs=1), None)
    given = await run.finished()
    await run.close()
    assert (await pipeline.run()).digest == given.digest
    resumed = Pipeline.resume(tmp_path / "set")
    assert resumed.config == config
    assert resumed._recipe == pipeline._recipe


def test_hyper_parameters_that_do_not_go_together_make_no_pipeline(make_config: MakeConfig) -> None:
    with pytest.raises(RecipeError, match="would rise"):
        Pipeline(make_config(ppo=Hyperparameters(learning_rate=1e-6)))


async def test_a_larger_budget_is_annealed_over_from_where_the_run_stands(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    options = {"workflow": order_name(5), "total_episodes": 24, "evaluation_episodes": 2, "collector": "sequential"}
    async with Pipeline(make_config(**options)) as pipeline:
        await pipeline.run()
    async with Pipeline.resume(tmp_path / "run", 48) as longer:
        updates = [event async for event in longer.events() if isinstance(event, UpdateResult)]
        finished = await longer.run()
    assert [update.learning_rate for update in updates] == [DEFAULT.learning_rate_at(n / 48) for n in (24, 32, 40)]
    assert [update.update for update in updates] == [3, 4, 5]
    assert (finished.reason, finished.episodes) == ("budget", 48)
    with (tmp_path / "run" / "training_log.csv").open() as log:
        assert [row["Update"] for row in csv.DictReader(log)] == list("012345")


async def test_a_budget_is_not_replaced_before_it_is_used_up(make_config: MakeConfig, tmp_path: Path) -> None:
    async with Pipeline(make_config()) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, UpdateResult):
                break
    before = (tmp_path / "run" / "config.json").read_bytes()
    with pytest.raises(BudgetLeftError, match="has used 8 of its 40 episodes"):
        async with Pipeline.resume(tmp_path / "run", 80):
            pass
    assert (tmp_path / "run" / "config.json").read_bytes() == before


async def test_a_larger_budget_outlives_a_run_that_is_killed_before_its_first_checkpoint(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    async with Pipeline(make_config()) as pipeline:
        await pipeline.run()
    record_budget(tmp_path / "run", with_budget(read_config(tmp_path / "run"), 64))
    async with Pipeline.resume(tmp_path / "run") as resumed:
        assert (await resumed.run()).episodes == 64


async def digest_from(source: Path, config: Config, *, stop: bool = False) -> str:
    """Train from the policies of a run; by way of a stop and a resume, without that run, if asked for."""
    async with Pipeline(config) as pipeline:
        assert pipeline.run_dir != source
        async for event in pipeline.events():
            if stop and isinstance(event, UpdateResult):
                pipeline.stop()
        finished = await pipeline.run()
    assert json.loads((pipeline.run_dir / "summary.json").read_text())["configuration"]["init_sha256"]
    if stop:
        shutil.rmtree(source)  # which is needed no more
        async with Pipeline.resume(pipeline.run_dir) as pipeline:
            finished = await pipeline.run()
    return finished.digest


async def test_a_run_starts_from_the_policies_of_another(make_config: MakeConfig, tmp_path: Path) -> None:
    source = tmp_path / "source"
    async with Pipeline(make_config(run_name="source")) as pipeline:
        await pipeline.run()
    other = {"init_from": source, "red_agent": "RedMeanderAgent", "recipe": "thorough", "warm_start": False}
    reference = await digest_from(source, make_config(run_name="one", collector="sequential", **other))
    recorded = read_config(tmp_path / "one")
    assert recorded.init_from == source
    again = make_config(run_name="two", init_sha256=recorded.init_sha256, **other)
    assert await digest_from(source, again, stop=True) == reference
    async with Pipeline(make_config(run_name="afresh", **{**other, "init_from": None})) as afresh:
        assert (await afresh.run()).digest != reference


async def test_a_run_that_can_not_start_from_another_leaves_nothing(make_config: MakeConfig, tmp_path: Path) -> None:
    async with Pipeline(make_config(run_name="source")) as pipeline:
        await pipeline.run()
    with pytest.raises(InitialPoliciesError, match="actions is merged there and all here"):
        async with Pipeline(make_config(init_from=tmp_path / "source", actions="all")):
            pass
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("when", [RunStarted, WorkflowStarted, FirstEpisode, UpdateResult])
async def test_leaving_early_keeps_the_last_update(when: type, make_config: MakeConfig, tmp_path: Path) -> None:
    async with Pipeline(make_config(run_name="whole")) as pipeline:
        whole = await pipeline.run()
    async with Pipeline(make_config(run_name="left")) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, when):
                break
    left = Pipeline.resume(tmp_path / "left")
    async with left:
        assert (await left.run()).digest == whole.digest


async def test_a_run_against_attackers_of_ones_own_is_a_function_of_its_configuration(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    async with Pipeline(make_config(red_agent="B_lineAgent,RedMeanderAgent")) as pipeline:
        built_in = await pipeline.run()
    source = inspect.getsource(meander)
    (tmp_path / "red.py").write_text(source)
    red_agent = f"B_lineAgent,{tmp_path}/red.py:Meander"
    async with Pipeline(make_config(red_agent=red_agent, run_name="parts")) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, UpdateResult):
                pipeline.stop()
        assert (await pipeline.run()).reason == "stopped"
    run_dir = tmp_path / "parts"
    assert read_config(run_dir).red_sha256 == source_digests([f"{tmp_path}/red.py:Meander"])
    with pytest.raises(RunFolderError, match="not run by a folder's word"):
        Pipeline.resume(run_dir)
    (tmp_path / "red.py").write_text(f"{source}\n")
    with pytest.raises(AttackerNotFoundError, match="has changed since the run"):
        async with Pipeline.resume(run_dir, red_agent=red_agent):
            pass
    (tmp_path / "red.py").write_text(source)
    async with Pipeline.resume(run_dir, red_agent=red_agent) as pipeline:
        assert (await pipeline.run()).digest == built_in.digest


async def test_cancelling_the_embedding_task_cleans_up(make_config: MakeConfig, tmp_path: Path) -> None:
    entered = asyncio.Event()

    async def embed() -> None:
        async with Pipeline(make_config()) as pipeline:
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


async def test_an_error_in_the_body_wins(make_config: MakeConfig) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Pipeline(make_config()):
            raise ZeroDivisionError


async def test_a_failure_reaches_whoever_listens(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    async def embed() -> None:
        async with Pipeline(make_config()) as pipeline:
            monkeypatch.setattr(pipeline._run._parts.training, "_snapshot", fail)
            with pytest.raises(OSError, match="No space left"):
                async for _ in pipeline.events():
                    pass
            with pytest.raises(OSError, match="No space left"):
                await pipeline.run()

    with pytest.raises(OSError, match="No space left"):
        await embed()


async def test_it_is_entered_once(make_config: MakeConfig) -> None:
    pipeline = Pipeline(make_config(run_name=None, collector="sequential"))
    async with pipeline:
        with pytest.raises(RuntimeError, match="entered once: make another one, Pipeline"):
            async with pipeline:
                pass
        finished = await pipeline.run()  # which goes on
    with pytest.raises(RuntimeError, match="entered once"):
        async with pipeline:
            pass
    assert (finished.reason, pipeline.statistics().total_episodes) == ("budget", 40)
    assert list(pipeline.run_dir.parent.iterdir()) == [pipeline.run_dir]


async def test_a_run_is_not_overwritten(make_config: MakeConfig, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(RunFolderError, match="exists already"):
        async with Pipeline(make_config(run_name="mine")):
            pass


async def test_stop_ends_an_evaluation_at_once_and_resume_makes_it(make_config: MakeConfig, tmp_path: Path) -> None:
    shared = {"policy": "shared", "total_episodes": 16, "evaluation_episodes": 10}  # of each of 120 orders
    async with Pipeline(make_config(**shared, run_name="whole")) as pipeline:
        whole = await pipeline.run()
        num_evaluated = pipeline.statistics().collection.num_collected - whole.episodes
    async with Pipeline(make_config(**shared, run_name="parts")) as pipeline:
        async with asyncio.timeout(60):
            while not pipeline._running._parts.training.is_evaluating:  # noqa: ASYNC110  # no event tells of it
                await asyncio.sleep(0.001)
        pipeline.stop()
        stopped = await pipeline.run()
        assert pipeline.statistics().collection.num_collected - stopped.episodes < num_evaluated
    assert stopped.reason == "stopped"
    async with Pipeline.resume(tmp_path / "parts") as resumed:
        assert (await resumed.run()).digest == whole.digest


async def test_a_run_that_is_alive_is_not_resumed(make_config: MakeConfig) -> None:
    async with Pipeline(make_config()) as pipeline:
        with pytest.raises(RunFolderError, match="still alive"):
            async with Pipeline.resume(pipeline.run_dir):
                pass


@pytest.mark.parametrize(
    "ask",
    [Pipeline.stop, Pipeline.statistics, Pipeline.events, lambda pipeline: pipeline.run_dir],
    ids=["stop", "statistics", "events", "run_dir"],
)
def test_what_needs_a_running_pipeline_says_so(ask: Callable[[Pipeline], object], make_config: MakeConfig) -> None:
    with pytest.raises(RuntimeError, match="enter it first"):
        ask(Pipeline(make_config()))


async def test_statistics_outlive_the_run(make_config: MakeConfig) -> None:
    async with Pipeline(make_config()) as pipeline:
        await pipeline.run()
    assert pipeline.statistics().total_episodes == 40
