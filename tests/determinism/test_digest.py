"""The keystone: what a run learns is a function of its configuration, whatever the timing."""

from __future__ import annotations

import asyncio
import csv
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from pipeline import Config, Pipeline
from pipeline.cage2.facts.order_names import order_name
from pipeline.collect.ray import cluster
from pipeline.persist.runs import read_config
from pipeline.ppo import update as ppo
from pipeline.types import UpdateResult, WorkflowFinished

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.policy.store import PolicyState
    from pipeline.types import WorkflowResult

# two visits, the second cut by the budget in the midst of an update; several updates each, so that the lag counts
RUN: dict[str, Any] = {
    "total_episodes": 36,
    "max_episodes_per_workflow": 20,
    "episodes_per_update": 4,
    "evaluation_episodes": 2,
    "episode_steps": 50,  # half of what others play: nothing here is of the horizon but `test_an_episode_may_be_...`
    "seed": 3,
}


async def digest(config: Config) -> str:
    async with Pipeline(config) as pipeline:
        return (await pipeline.run()).digest


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    return asyncio.run(digest(Config(**RUN, workers=1, log_dir=tmp_path_factory.mktemp("reference"))))


@pytest.mark.parametrize(
    "speed",
    [
        {"workers": 2},
        {"workers": 5, "episodes_per_task": 3, "slots": 7},
        {"workers": 2, "debug": True, "checkpoint_interval_s": 0},
    ],
    ids=lambda speed: "-".join(f"{key}{value}" for key, value in speed.items()),
)
async def test_does_not_depend_on_how_it_is_collected(reference: str, speed: dict[str, Any], tmp_path: Path) -> None:
    assert await digest(Config(**RUN, **speed, log_dir=tmp_path)) == reference


def test_does_not_depend_on_the_event_loop(reference: str, tmp_path: Path) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(digest(Config(**RUN, workers=2, log_dir=tmp_path))) == reference


HOST_PROGRAM = f"""
import asyncio, os, sys, torch
from pathlib import Path
from pipeline import Config, Pipeline

async def main(num_threads):
    config = Config(**{RUN!r}, collector='sequential', run_name=str(num_threads), log_dir=Path(sys.argv[1]))
    async with Pipeline(config) as pipeline:
        print(num_threads, (await pipeline.run()).digest, flush=True)

for num_threads in map(int, sys.argv[2:]):
    if os.fork() == 0:
        torch.set_num_threads(num_threads)
        torch.linalg.qr(torch.rand(64, 64))
        asyncio.run(main(num_threads))
        os._exit(0)
    assert os.wait()[1] == 0
"""
"""Each in a process of its own, for torch's number of threads is settled once for each thread; forked when torch is
imported, which takes much longer than the run."""


@pytest.fixture(scope="module")
def by_num_threads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    program = tmp_path_factory.mktemp("host") / "host.py"
    program.write_text(HOST_PROGRAM)
    command = [sys.executable, str(program), str(program.parent), "1", "2", "4"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    return dict(line.split() for line in result.stdout.splitlines())


@pytest.mark.parametrize("num_threads", [1, 2, 4])
def test_does_not_depend_on_what_the_host_program_did_with_torch(
    reference: str, num_threads: int, by_num_threads: dict[str, str]
) -> None:
    assert by_num_threads[str(num_threads)] == reference


METHODS: list[dict[str, Any]] = [
    {"collector": "sequential"},
    {"collector": "synchronous"},
    {"collector": "executor", "transport": "shm"},
    {"collector": "executor", "transport": "pickle"},
    {"collector": "ray"},
]


@pytest.fixture(scope="module")
def _ray() -> Iterator[None]:
    """A Ray that outlives the runs which use it: to start one takes seconds."""
    somebody = object()
    cluster.submit(lambda: cluster.join(somebody, "local", num_workers=2, store_bytes=cluster.MIN_STORE_BYTES)).result(
        60
    )
    yield
    cluster.submit(lambda: cluster.leave(somebody)).result(60)


@pytest.fixture(params=METHODS, ids=lambda method: "-".join(method.values()))
def method(request: pytest.FixtureRequest) -> dict[str, Any]:
    if request.param["collector"] == "ray":
        request.getfixturevalue("_ray")
    return dict(request.param)


@pytest.mark.parametrize("engine", ["fast", "cyborg"])
async def test_does_not_depend_on_the_method_or_the_engine(
    reference: str, method: dict[str, Any], engine: str, tmp_path: Path
) -> None:
    assert await digest(Config(**RUN, **method, engine=engine, workers=2, log_dir=tmp_path)) == reference


async def evaluated(config: Config) -> WorkflowResult:
    async with Pipeline(config) as pipeline:
        results = [event.result async for event in pipeline.events() if isinstance(event, WorkflowFinished)]
    (result,) = results
    return result


ONE: dict[str, Any] = {**RUN, "workflow": order_name(17), "total_episodes": 8, "evaluation_episodes": 5}


@pytest.fixture(scope="module")
def one_reference(tmp_path_factory: pytest.TempPathFactory) -> WorkflowResult:
    return asyncio.run(evaluated(Config(**ONE, workers=1, log_dir=tmp_path_factory.mktemp("one"))))


async def test_nor_does_an_evaluation_sampled_and_greedy(
    one_reference: WorkflowResult, method: dict[str, Any], tmp_path: Path
) -> None:
    result = await evaluated(Config(**ONE, **method, workers=2, log_dir=tmp_path))
    assert result == one_reference
    assert result.score.num_evaluated == 5
    assert result.score.greedy_env_reward not in (None, result.score.env_reward)


# another observation and other actions, and so another shape of records, weights and policies
PLAIN: dict[str, Any] = {**RUN, "observation_memory": False, "actions": "all"}


@pytest.fixture(scope="module")
def plain_reference(reference: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    plain = asyncio.run(digest(Config(**PLAIN, workers=1, log_dir=tmp_path_factory.mktemp("plain"))))
    assert plain != reference
    return plain


@pytest.mark.parametrize(
    "speed",
    [
        {"collector": "sequential", "engine": "fast"},
        {"collector": "synchronous", "engine": "fast"},
        {"collector": "executor", "transport": "pickle", "engine": "fast"},
        {"collector": "executor", "transport": "shm", "engine": "cyborg"},
    ],
    ids=lambda speed: "-".join(speed.values()),
)
async def test_nor_does_a_run_in_the_plain_form(plain_reference: str, speed: dict[str, Any], tmp_path: Path) -> None:
    assert await digest(Config(**PLAIN, **speed, workers=2, log_dir=tmp_path)) == plain_reference


async def test_a_run_in_the_plain_form_goes_on_as_it_would_have(plain_reference: str, tmp_path: Path) -> None:
    async with Pipeline(Config(**PLAIN, workers=2, log_dir=tmp_path)) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, UpdateResult):
                pipeline.stop()
    async with Pipeline.resume(pipeline.run_dir) as resumed:
        assert (await resumed.run()).digest == plain_reference


@pytest.mark.parametrize("workers", [1, 3, 8])
async def test_does_not_depend_on_who_waits_at_the_barrier(reference: str, workers: int, tmp_path: Path) -> None:
    assert await digest(Config(**RUN, collector="synchronous", workers=workers, log_dir=tmp_path)) == reference


async def test_a_run_goes_on_with_another_method(reference: str, tmp_path: Path) -> None:
    async with Pipeline(Config(**RUN, collector="sequential", log_dir=tmp_path)) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, UpdateResult):
                pipeline.stop()
    async with Pipeline.resume(pipeline.run_dir, collector="executor", transport="pickle", workers=2) as resumed:
        assert (await resumed.run()).digest == reference


async def test_two_pipelines_in_one_process_keep_apart(reference: str, tmp_path: Path) -> None:
    one = Config(**RUN, workers=1, log_dir=tmp_path, run_name="one")
    other = Config(**{**RUN, "seed": 4}, workers=1, log_dir=tmp_path, run_name="other")
    digests = await asyncio.gather(digest(one), digest(other))
    assert digests[0] == reference
    assert digests[1] != reference


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"policy_lag": 0},
        {"red_agent": "RedMeanderAgent"},
        {"recipe": "prototype"},
        {"actions": "all"},
        {"episode_steps": 30},
    ],
)
async def test_depends_on_what_is_learned(reference: str, change: dict[str, Any], tmp_path: Path) -> None:
    assert await digest(Config(**{**RUN, **change}, workers=2, log_dir=tmp_path)) != reference


async def test_hidden_layers_may_be_of_other_sizes(reference: str, tmp_path: Path) -> None:
    options = {**RUN, "hidden_sizes": (96, 32)}
    other = await digest(Config(**options, collector="sequential", log_dir=tmp_path))
    assert other != reference
    for speed in (
        {"workers": 2},
        {"transport": "pickle", "workers": 2},
        {"engine": "cyborg", "workers": 2},
        {"collector": "synchronous", "workers": 3},
    ):
        assert await digest(Config(**options, **speed, log_dir=tmp_path)) == other
    assert (await search_digest(Config(**options, workers=2, log_dir=tmp_path), stop_after=16))[0] == other


@pytest.mark.parametrize("steps", [1, 30, 130])
async def test_an_episode_may_be_of_any_length(steps: int, tmp_path: Path) -> None:
    """A policy with a memory sees the time, as shares of its own horizon."""
    options = {**RUN, "episode_steps": steps, "observation_memory": True, "actions": "merged", "total_episodes": 8}
    reference = await digest(Config(**options, collector="sequential", log_dir=tmp_path))
    for speed in ({"engine": "cyborg", "workers": 2}, {"collector": "synchronous", "workers": 3}):
        assert await digest(Config(**options, **speed, log_dir=tmp_path)) == reference


# orders that reach the threshold, so that the Gaussian process is fitted, workflows are picked again (a beta of 0 does
# not explore), and policies start warm
SEARCH: dict[str, Any] = {
    "total_episodes": 80,
    "finals_share": 0.4,
    "max_episodes_per_workflow": 24,
    "episodes_per_update": 4,
    "compliance_threshold": 0.2,
    "gp_beta": 0.0,
    "warm_start": True,
    "evaluation_episodes": 2,
    "episode_steps": 30,
    "seed": 5,
}


async def search_digest(config: Config, stop_after: int | None = None) -> tuple[str, list[WorkflowFinished]]:
    """Run to the end, by way of a stop, after so many episodes or a few more, and a resume if asked for."""
    visits: list[WorkflowFinished] = []
    is_stopped = False
    async with Pipeline(config) as pipeline:
        async for event in pipeline.events():
            if isinstance(event, WorkflowFinished):
                visits.append(event)
            if stop_after is not None and not is_stopped and isinstance(event, UpdateResult):
                is_stopped = event.total_episodes >= stop_after
                if is_stopped:
                    pipeline.stop()
        finished = await pipeline.run()
    if finished.reason != "stopped":
        return finished.digest, visits
    async with Pipeline.resume(pipeline.run_dir) as resumed:
        return (await resumed.run()).digest, visits


@pytest.fixture(scope="module")
def search_reference(tmp_path_factory: pytest.TempPathFactory) -> str:
    config = Config(**SEARCH, workers=1, log_dir=tmp_path_factory.mktemp("search"))
    digest, visits = asyncio.run(search_digest(config))
    assert sum(visit.gp_updated for visit in visits) >= 3
    picked = [visit.result.workflow_id for visit in visits]
    assert len(set(picked)) < len(picked), "a workflow is picked again"
    return digest


@pytest.mark.parametrize("speed", [{"workers": 2}, {"workers": 5, "slots": 5}, {"engine": "cyborg"}], ids=str)
async def test_the_search_does_not_depend_on_how_it_is_collected(
    search_reference: str, speed: dict[str, Any], tmp_path: Path
) -> None:
    digest, _ = await search_digest(Config(**SEARCH, **speed, log_dir=tmp_path))
    assert digest == search_reference


@pytest.mark.parametrize("stop_after", [8, 32])
async def test_the_search_goes_on_as_it_would_have(search_reference: str, stop_after: int, tmp_path: Path) -> None:
    digest, _ = await search_digest(Config(**SEARCH, workers=2, log_dir=tmp_path), stop_after)
    assert digest == search_reference


# three visits at a time, of different lengths: one waits for others, and another one is waited for
SEVERAL: dict[str, Any] = {**SEARCH, "concurrent_visits": 3, "total_episodes": 200, "compliance_threshold": 0.6}


def told(run_dir: Path) -> list[list[str]]:
    """All that the two logs say but for seconds, which aren't results."""
    lines: list[list[str]] = []
    for name in ("training_log.csv", "gp_sampling_log.csv"):
        with (run_dir / name).open(newline="") as file:
            head, *rows = csv.reader(file)
        kept = [column for column, title in enumerate(head) if not title.endswith("_Time")]
        lines += [[row[column] for column in kept] for row in rows]
    return lines


@pytest.fixture(params=[0, 1], ids=["some are slow", "the others are slow"])
def _some_are_slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the updates of every other workflow take longer than all else."""
    update = ppo.update

    def slow(policy: PolicyState, *arguments: Any, **options: Any) -> ppo.UpdateMetrics:
        time.sleep(0.05 * (policy.workflow_id % 2 == request.param))
        return update(policy, *arguments, **options)

    monkeypatch.setattr(ppo, "update", slow)


@pytest.fixture(scope="module")
def several_reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[list[str]]]:
    folder = tmp_path_factory.mktemp("several")
    config = Config(**SEVERAL, workers=1, learner_threads=1, log_dir=folder, run_name="run")
    digest, visits = asyncio.run(search_digest(config))
    assert sum(visit.gp_updated for visit in visits) >= 3
    assert len({visit.result.num_episodes for visit in visits if visit.part == "search"}) > 1
    assert [visit.part for visit in visits].count("finals") >= 3, "heats, and the winner after them"
    return digest, told(folder / "run")


@pytest.mark.parametrize(
    "speed",
    [{"workers": 3, "learner_threads": 3}, {"collector": "sequential"}, {"workers": 2, "checkpoint_interval_s": 0}],
    ids=str,
)
async def test_several_visits_at_a_time_depend_on_no_timing(
    several_reference: tuple[str, list[list[str]]], speed: dict[str, Any], tmp_path: Path
) -> None:
    digest, _ = await search_digest(Config(**SEVERAL, **speed, log_dir=tmp_path, run_name="run"))
    assert (digest, told(tmp_path / "run")) == several_reference


@pytest.mark.usefixtures("_some_are_slow")
async def test_nor_on_who_of_them_is_slow(several_reference: tuple[str, list[list[str]]], tmp_path: Path) -> None:
    config = Config(**SEVERAL, workers=2, learner_threads=3, log_dir=tmp_path, run_name="run")
    digest, _ = await search_digest(config)
    assert (digest, told(tmp_path / "run")) == several_reference


@pytest.mark.parametrize("stop_after", [32, 132, 175], ids=["search", "heats", "winner"])
async def test_several_visits_at_a_time_go_on_as_they_would_have(
    several_reference: tuple[str, list[list[str]]], stop_after: int, tmp_path: Path
) -> None:
    config = Config(**SEVERAL, workers=2, log_dir=tmp_path, run_name="run")
    digest, visits = await search_digest(config, stop_after)
    assert sum(visit.result.num_episodes for visit in visits) < config.total_episodes, "it was stopped"
    assert (digest, told(tmp_path / "run")) == several_reference


async def test_how_many_visits_there_are_at_a_time_is_part_of_what_is_learned(
    several_reference: tuple[str, list[list[str]]], tmp_path: Path
) -> None:
    digest, _ = await search_digest(Config(**{**SEVERAL, "concurrent_visits": 2}, workers=2, log_dir=tmp_path))
    assert digest != several_reference[0]


# one policy for all orders, whose rounds end with an evaluation of each; one order alone, evaluated at the end
KINDS: dict[str, dict[str, Any]] = {
    "shared": {"policy": "shared", "red_agent": "Mixed", "total_episodes": 8},
    "single": {"workflow": "op_server -> user -> enterprise -> defender -> op_host", "total_episodes": 20},
}
KIND: dict[str, Any] = {
    "episodes_per_update": 4,
    "evaluation_episodes": 2,
    "compliance_threshold": 0.2,
    "episode_steps": 20,
    "seed": 3,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_other_kinds_of_training_do_not_depend_on_it_either(kind: str, tmp_path: Path) -> None:
    """By one process, by two workers, and by way of a stop and a resume."""
    options = {**KIND, **KINDS[kind]}
    reference, visits = await search_digest(Config(**options, collector="sequential", log_dir=tmp_path / "1"))
    assert sum(visit.result.score.num_evaluated for visit in visits) == {"shared": 2 * 120 * 2, "single": 2}[kind]
    assert (await search_digest(Config(**options, workers=2, log_dir=tmp_path / "2")))[0] == reference
    assert (await search_digest(Config(**options, workers=2, log_dir=tmp_path / "3"), 4))[0] == reference


async def extended(config: Config, *budgets: int, stop_after: int | None = None) -> str:
    """Run to the end, and to the end of each further budget; by way of a stop and a resume in each if asked for."""
    digest, _ = await search_digest(config, stop_after)
    run_dir = config.log_dir / (config.run_name or "")
    for budget in budgets:
        async with Pipeline.resume(run_dir, budget) as pipeline:
            async for event in pipeline.events():
                if stop_after and isinstance(event, UpdateResult):
                    pipeline.stop()
            finished = await pipeline.run()
        if finished.reason == "stopped":
            async with Pipeline.resume(run_dir, budget, workers=3) as pipeline:  # as the same command typed again
                finished = await pipeline.run()
        assert finished.episodes == budget
        digest = finished.digest
    recorded = read_config(run_dir)
    assert (*recorded.earlier_budgets, recorded.total_episodes) == (config.total_episodes, *budgets)
    return digest


@pytest.mark.parametrize("kind", ["search", *KINDS])
async def test_a_run_with_larger_budgets_depends_on_what_they_are(kind: str, tmp_path: Path) -> None:
    first, *more = (8, 16) if kind == "shared" else (12, 20, 32)  # each round of `shared` evaluates all orders
    options: dict[str, Any] = {**SEARCH, **KIND, **KINDS.get(kind, {}), "total_episodes": first}

    def config(name: str, **changes: Any) -> Config:
        return Config(**{**options, **changes}, log_dir=tmp_path, run_name=name)

    reference = await extended(config("whole", collector="sequential"), *more)
    assert await extended(config("parts", workers=2), *more, stop_after=first - 4) == reference
    if kind == "single":  # whose learning rate follows the budget
        assert await extended(config("two", workers=2), 32) != reference
        assert await extended(config("one", workers=2, total_episodes=32)) != reference


async def test_kinds_of_training_are_kinds_of_results(tmp_path: Path) -> None:
    same = {**KIND, "total_episodes": 20, "compliance_threshold": 0}
    digests = {
        (await search_digest(Config(**{**same, **change}, workers=1, log_dir=tmp_path / str(i))))[0]
        for i, change in enumerate(({}, KINDS["shared"], KINDS["single"], {"evaluation_episodes": 3}))
    }
    assert len(digests) == 4
