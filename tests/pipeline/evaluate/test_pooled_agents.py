"""Agents that others wrote, in real workers: what `test_pooled` is for policies."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.defenders.errors import AgentRaisedError, NoSuchAgentError
from pipeline.evaluate import evaluation
from pipeline.evaluate.failure import DefenderFailedError
from pipeline.evaluate.pooled import evaluate_in_pool
from pipeline.evaluate.scenario import Scenario
from tests.pipeline.evaluate.other_agents import reference, request, written
from tests.pipeline.evaluate.test_pooled import TIMEOUT_S, workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.evaluate.evaluation import Request
    from pipeline.evaluate.results import ScenarioResult

LONG = (Scenario("B_lineAgent", 100),)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("agents"))


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "EPISODES_PER_AGENT", 2)


async def played(
    asked: Request, num_workers: int = 2, note: Callable[[int], None] = lambda _: None
) -> tuple[tuple[ScenarioResult, ...], list[str]]:
    """Evaluate, and look for what was left."""
    forms: list[str] = []
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await evaluate_in_pool(asked, num_workers, note, forms.append), forms
    finally:
        assert workers() == []


async def test_the_number_of_workers_changes_nothing_not_even_a_killed_one(file: Path) -> None:
    asked = request(reference(file, "Mood"))
    alone, forms = await played(asked, 1)
    assert forms == ["CybORG's"]
    assert (await played(asked, 2))[0] == alone
    noted: list[int] = []

    def kill_once(num_episodes: int) -> None:
        noted.append(num_episodes)
        if len(noted) == 2:
            os.kill(workers()[0].pid, 9)

    assert (await played(asked, 2, kill_once))[0] == alone
    assert sum(noted) == 10


async def test_what_is_wrong_with_it_is_told_before_it_plays(file: Path) -> None:
    for agent, error in ((reference(file, "Nobody"), NoSuchAgentError), (_bad(file, "init"), AgentRaisedError)):
        noted: list[int] = []
        with pytest.raises(error):
            await played(request(agent), 1, noted.append)
        assert not noted
    with pytest.raises(DefenderFailedError, match="failed while it was made:\nits process ended, 3 times"):
        await played(request(_bad(file, "init_exit")), 1)


def _bad(file: Path, how: str, timeout_s: float = 60.0) -> Any:
    return reference(file, "Bad", timeout_s=timeout_s, how=how)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("raises", "KeyError: 'missing'"),
        ("dies", "its process ended, 3 times: it exits, crashes, or is killed for memory"),
        ("reads", "EOFError: EOF when reading a line"),
    ],
)
async def test_its_ends_are_told_with_seed_and_step(how: str, told: str, file: Path) -> None:
    with pytest.raises(DefenderFailedError) as error:
        await played(request(_bad(file, how), LONG, 1), 1)
    first, rest = str(error.value).split("\n", 1)
    assert first.startswith("my.py:Bad failed in step 57 of ")
    assert "environment seed " in first
    assert rest.endswith(told)


async def test_one_that_hangs_is_told_of_once_with_its_stack(file: Path) -> None:
    with pytest.raises(DefenderFailedError) as error:
        await played(request(_bad(file, "sleeps", 1.0), LONG, 1), 1)
    _, reason, *stack = str(error.value).splitlines()
    assert reason.startswith("it did not end within 1 s, and its worker was killed; --step-timeout is")
    assert [line.rpartition(" ")[2] for line in stack] == ["sleeps", "act"]


async def test_threads_end_with_it(file: Path) -> None:
    results, _ = await played(request(_bad(file, "threads"), LONG, 1), 1)
    assert results[0].actions == {"Sleep": 100.0}


WEIGHTS_AT_RANDOM = """
import torch

class Linear:
    def __init__(self):
        self.weights = torch.randn(145, 52)

    def get_action(self, observation, action_space):
        return int((self.weights @ torch.tensor(observation, dtype=torch.float32)).argmax())
"""
OF_A_MODULE = """
class Counting:
    def __init__(self):
        self.count = 0

    def __call__(self, observation):
        self.count += 1
        return self.count % 145

ready = Counting()
"""


@pytest.mark.parametrize(("name", "source"), [("Linear", WEIGHTS_AT_RANDOM), ("ready", OF_A_MODULE)])
async def test_nor_for_random_weights_of_torch_and_objects_with_a_memory(
    name: str, source: str, tmp_path: Path
) -> None:
    """A worker imports torch with its first agent, and runs a module once."""
    file = tmp_path / "agent_of_test.py"
    file.write_text(source)
    asked = request(reference(file, name), num_episodes=6)
    assert (await played(asked, 1))[0] == (await played(asked, 2))[0]
