from __future__ import annotations

import asyncio
import importlib
import math
import os
import signal
import sys
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

from pipeline import seeding
from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.collect import deadline, watch
from pipeline.collect.collection import MAX_FRUITLESS_REBUILDS, WorkersKeepDyingError
from pipeline.collect.scheduler import MAX_ATTEMPTS
from pipeline.evaluate import evaluation
from pipeline.evaluate.evaluation import Request, evaluate
from pipeline.evaluate.pooled import EpisodeTakesWorkersDownError, evaluate_in_pool
from pipeline.evaluate.scenario import Scenario
from pipeline.evaluate.task import EpisodeFailedError, Policy
from pipeline.play.game import GameSpec
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.evaluate.results import ScenarioResult

TIMEOUT_S = 60
WEIGHTS = np.random.default_rng(1).normal(0, 0.3, PolicyShape().actor.num_values).astype(np.float32)
GAME = GameSpec("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, 100, Interface())
TWO = (Scenario("RedMeanderAgent", 30), Scenario("B_lineAgent", 50))
REQUEST = Request(Policy(WEIGHTS, 37, greedy=False), GAME, TWO, num_episodes=20, seed=3)
FATEFUL_ROW = 7
"""Of the second scenario's episodes, in the middle of a task."""
FATEFUL = int(seeding.episode_seeds(3, TWO[1].group, range(20), seeding.Purpose.COMPARISON)[0][FATEFUL_ROW])

DEADLY_GAME = """
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.play.game import GameSpec

ENDS = {
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "exit": lambda: os._exit(3),
    "hang": lambda: time.sleep(3600),
    "raise": lambda: 1 / 0,
}


@dataclass(frozen=True)
class DeadlyGame(GameSpec):
    '''A game in which one episode ends the first workers that play it.'''

    folder: str = ""
    seed: int = 0
    end: str = ""
    num_deaths: int = 0

    def play_episode(self):
        play = super().play_episode()

        def play_or_die(*given, environment_seed, **rest):
            for death in range(self.num_deaths if environment_seed == self.seed else 0):
                try:
                    with (Path(self.folder) / f"death-{death}").open("x") as file:
                        file.write(str(os.getpid()))
                except FileExistsError:
                    continue
                ENDS[self.end]()
            play(*given, environment_seed=environment_seed, **rest)

        return play_or_die
"""


@cache
def undisturbed(agent: Policy | str = REQUEST.agent) -> tuple[ScenarioResult, ...]:
    """What this process comes to, alone."""
    return evaluate(replace(REQUEST, agent=agent))


async def evaluated(
    request: Request, num_workers: int = 2, note_progress: Callable[[int], None] = lambda _: None
) -> tuple[ScenarioResult, ...]:
    """Evaluate, and look for what was left."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await evaluate_in_pool(request, num_workers, note_progress)
    finally:
        assert workers() == []


def workers() -> list[psutil.Process]:
    """What this process's forkserver has forked."""
    children = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    servers = [each for each in children if "forkserver" in " ".join(each.cmdline())]
    return [each for server in servers for each in server.children() if each.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tasks for every worker, though there is little to do."""
    monkeypatch.setattr(evaluation, "STEPS_PER_TASK", {"fast": 100, "cyborg": 100})


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Request]:
    """What makes a request deadly: to the workers that come to the fateful episode."""
    (tmp_path / "deadly_evaluation.py").write_text(DEADLY_GAME)
    monkeypatch.syspath_prepend(tmp_path)  # workers are told of it, too
    monkeypatch.delitem(sys.modules, "deadly_evaluation", raising=False)
    deadly_game = importlib.import_module("deadly_evaluation").DeadlyGame

    def make(end: str, num_deaths: int) -> Request:
        how: dict[str, Any] = {"folder": str(tmp_path), "seed": FATEFUL, "end": end, "num_deaths": num_deaths}
        return replace(REQUEST, game=deadly_game(**vars(GAME), **how))

    return make


def num_deaths(folder: Path) -> int:
    return len(list(folder.glob("death-*")))


@pytest.mark.parametrize("agent", [REQUEST.agent, "random"], ids=["policy", "random"])
async def test_traces_come_in_order_though_workers_die(agent: Policy | str) -> None:
    request = replace(REQUEST, agent=agent, is_traced=True)
    expected: list[str] = []
    assert evaluate(request, write_traces=expected.append) == undisturbed(agent)
    written: list[str] = []
    killed: list[int] = []

    def write(lines: str) -> None:
        written.append(lines)
        for worker in workers()[:1] if len(written) in (2, 5) else ():
            killed.append(worker.pid)
            worker.kill()

    async with asyncio.timeout(TIMEOUT_S):
        assert await evaluate_in_pool(request, 2, write_traces=write) == undisturbed(agent)
    assert killed
    assert written == expected
    assert workers() == []


@pytest.mark.parametrize("agent", [REQUEST.agent, "random"], ids=["policy", "random"])
async def test_the_number_of_processes_changes_nothing(agent: Policy | str) -> None:
    request = replace(REQUEST, agent=agent)
    noted: list[int] = []
    assert await evaluated(request, 3, noted.append) == undisturbed(agent)
    assert sum(noted) == 40
    assert len(noted) > 2
    on_cyborg = replace(request, game=replace(GAME, engine="cyborg"))
    assert await evaluated(on_cyborg) == undisturbed(agent)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("agent", [REQUEST.agent, "random"], ids=["policy", "random"])
async def test_killed_workers_change_nothing(agent: Policy | str, number: signal.Signals) -> None:
    killed: list[int] = []

    def kill_one_in_three(_: int) -> None:
        killed.append(0)
        if len(killed) % 3 == 0:
            os.kill(workers()[0].pid, number)

    request = replace(REQUEST, agent=agent, game=replace(GAME, engine="cyborg"))  # slow enough to be hit in its midst
    assert await evaluated(request, 2, kill_one_in_three) == undisturbed(agent)
    assert len(killed) > 6


async def test_all_workers_killed_at_once_change_nothing() -> None:
    noted: list[int] = []

    def kill_all(num_episodes: int) -> None:
        noted.append(num_episodes)
        if len(noted) == 2:
            for worker in workers():
                worker.kill()

    assert await evaluated(REQUEST, 2, kill_all) == undisturbed()
    assert sum(noted) == 40


@pytest.mark.parametrize("end", ["SIGKILL", "exit"])
async def test_an_episode_may_take_its_worker_down(end: str, deadly: Callable[..., Request], tmp_path: Path) -> None:
    assert await evaluated(deadly(end, MAX_ATTEMPTS - 1)) == undisturbed()
    assert num_deaths(tmp_path) == MAX_ATTEMPTS - 1


@pytest.mark.parametrize("end", ["SIGKILL", "exit"])
async def test_an_episode_that_always_takes_its_worker_down_ends_the_evaluation(
    end: str, deadly: Callable[..., Request], tmp_path: Path
) -> None:
    with pytest.raises(EpisodeTakesWorkersDownError) as error:
        await evaluated(deadly(end, 99))
    assert str(error.value).startswith(
        "an episode of 50 steps against B_lineAgent failed 3 times: its worker process died "
        f"(environment seed {FATEFUL}, actions seed "
    )
    assert str(error.value).endswith("--workers 1")
    assert num_deaths(tmp_path) == MAX_ATTEMPTS


def num_hanging(folder: Path) -> int:
    """Of those that came to the fateful episode, how many are still there."""
    pids = [file.read_text() for file in folder.glob("death-*")]
    return sum(bool(pid) and psutil.pid_exists(int(pid)) for pid in pids)


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes minutes otherwise. Time runs only while somebody hangs, so that a busy machine is none that hangs."""
    monkeypatch.setattr(deadline.Deadline, "limit_s", lambda *_: 1.0 if num_hanging(tmp_path) else math.inf)
    monkeypatch.setattr(watch, "INTERVAL_S", 0.02)


@pytest.mark.usefixtures("impatient")
async def test_an_episode_that_always_hangs_ends_the_evaluation(deadly: Callable[..., Request], tmp_path: Path) -> None:
    with pytest.raises(EpisodeTakesWorkersDownError) as error:
        await evaluated(deadly("hang", 99))
    assert "failed 3 times: it did not end within 1 s, and its worker was killed (environment seed" in str(error.value)
    assert str(FATEFUL) in str(error.value)
    assert num_deaths(tmp_path) == MAX_ATTEMPTS


@pytest.mark.usefixtures("impatient")
async def test_a_worker_that_hangs_is_replaced(deadly: Callable[..., Request], tmp_path: Path) -> None:
    assert await evaluated(deadly("hang", 1)) == undisturbed()
    assert num_deaths(tmp_path) == 1


async def test_workers_that_keep_dying_end_the_evaluation(deadly: Callable[..., Request], tmp_path: Path) -> None:
    """By SIGTERM, as the pool itself ends workers, so that no episode is blamed."""
    request = replace(deadly("SIGTERM", 99), scenarios=TWO[1:], num_episodes=FATEFUL_ROW + 1)
    with pytest.raises(WorkersKeepDyingError, match="dmesg"):
        await evaluated(request, 1)
    assert num_deaths(tmp_path) == MAX_FRUITLESS_REBUILDS


async def test_an_episode_that_raises_ends_it_at_once(deadly: Callable[..., Request], tmp_path: Path) -> None:
    with pytest.raises(EpisodeFailedError, match=f"^episode {FATEFUL_ROW} of 50 steps .* failed") as error:
        await evaluated(deadly("raise", 99))
    assert "ZeroDivisionError" in str(error.value)
    assert num_deaths(tmp_path) == 1


async def test_cancelling_ends_what_is_being_played(deadly: Callable[..., Request], tmp_path: Path) -> None:
    running = asyncio.create_task(evaluated(deadly("hang", 2)))
    async with asyncio.timeout(TIMEOUT_S):
        while not num_deaths(tmp_path):  # noqa: ASYNC110  # what is awaited happens in another process
            await asyncio.sleep(0.001)
    running.cancel()
    _, pending = await asyncio.wait({running}, timeout=TIMEOUT_S)
    assert not pending
    assert running.cancelled()
