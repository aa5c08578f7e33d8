from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import seeding
from pipeline.defenders.errors import AgentRaisedError, UnusableAgentError
from pipeline.evaluate import defend
from pipeline.evaluate.evaluation import evaluate, useful_workers
from pipeline.evaluate.failure import DefenderFailedError
from pipeline.evaluate.headers import EVALUATION_HEADER
from pipeline.evaluate.play import play
from pipeline.evaluate.task import EpisodeFailedError, Task
from tests.pipeline.evaluate.other_agents import GAME, TWO, reference, request, written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("agents"))


@pytest.fixture(autouse=True)
def _generators_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    kept, finders = (random.getstate(), np.random.get_state()), list(sys.meta_path)  # noqa: NPY002
    yield
    random.setstate(kept[0])
    np.random.set_state(kept[1])  # noqa: NPY002
    sys.meta_path[:] = finders


def test_an_agent_plays_the_games_that_a_built_in_plays(file: Path) -> None:
    ours = evaluate(request("restore"))
    assert evaluate(request(reference(file, "Restore"))) == ours
    assert evaluate(request(reference(file, "Restore"), engine="cyborg")) == ours


def test_it_is_made_anew_for_so_many_episodes_however_many_workers_there_are(file: Path) -> None:
    asked = request(reference(file, "Restore"), num_episodes=45)
    assert [task.num_episodes for task in asked.tasks(TWO[0])] == [20, 20, 5]
    assert asked.num_tasks(TWO[0]) == 3
    assert useful_workers(request(reference(file, "Restore"), num_episodes=1), 7) == 7


def test_what_it_draws_is_a_function_of_the_episode(file: Path) -> None:
    results = evaluate(request(reference(file, "Mood")))
    random.seed(99)
    assert evaluate(request(reference(file, "Mood"))) == results
    assert evaluate(request(reference(file, "Mood"), engine="cyborg")) == results
    assert evaluate(replace(request(reference(file, "Mood")), seed=4)) != results


def test_a_header_tells_how_far_it_has_come(file: Path) -> None:
    layout = EVALUATION_HEADER
    header = layout.views(memoryview(bytearray(layout.size_bytes)))
    task = Task(reference(file, "Bad", how="raises"), replace(GAME, num_steps=100), 3, 0, 10, 2)
    with pytest.raises(DefenderFailedError) as error:
        play(task, header)
    seed = seeding.episode_seeds(3, 0, [10], seeding.Purpose.COMPARISON)[0][0]
    assert (header["step"], header["environment_seed"], header["num_played"]) == (57, seed, 0)
    assert header["started_s"] <= header["stepped_s"]
    first, *trace = str(error.value).splitlines()
    counted = "100 steps, counted from 0, against B_lineAgent"
    assert first == f"my.py:Bad failed in step 57 of episode 10 ({counted}; environment seed {seed}):"
    assert trace[0] == "Traceback (most recent call last):"
    assert f'File "{file}"' in trace[1]
    assert trace[-1] == "KeyError: 'missing'"


def test_a_header_tells_how_many_episodes_it_has_played(file: Path) -> None:
    layout = EVALUATION_HEADER
    header = layout.views(memoryview(bytearray(layout.size_bytes)))
    task = Task(reference(file, "Restore"), replace(GAME, num_steps=3), 3, 0, 10, 4)
    for _ in range(2):
        play(task, header)
        assert header["num_played"] == 4


RED = """
class Red:
    def __init__(self, generator): ...
    def choose(self, knowledge): return [][knowledge.step]
"""


@pytest.mark.parametrize("is_traced", [False, True])
def test_an_attacker_that_fails_is_told_with_the_episode(is_traced: bool, file: Path, tmp_path: Path) -> None:
    (tmp_path / "red.py").write_text(RED)
    game = replace(GAME, red_agent=f"{tmp_path}/red.py:Red", num_steps=3)
    with pytest.raises(EpisodeFailedError, match=r"(?s)^episode 10 of 3 steps .*IndexError.*raised by") as error:
        play(Task(reference(file, "Restore"), game, 3, 0, 10, 1, is_traced))
    assert "pipeline" not in str(error.value)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("wrong", "it returned 145, of type int: an action is a whole number from 0 to 144"),
        ("exits", "SystemExit: 3"),
    ],
)
def test_other_ends_of_it(how: str, told: str, file: Path) -> None:
    with pytest.raises(DefenderFailedError) as error:
        evaluate(request(reference(file, "Bad", how=how, at="7")))
    assert "failed in step 7 of episode 0" in str(error.value)
    assert str(error.value).endswith(told)


def test_what_cannot_be_made_is_told_as_such(file: Path) -> None:
    with pytest.raises(AgentRaisedError, match="no weights"):
        evaluate(request(reference(file, "Bad", how="init")))
    with pytest.raises(UnusableAgentError, match=r"--greedy is for policies and models: my\.py:Restore"):
        defend.make(replace(reference(file, "Restore"), greedy=True), GAME, 0)


def test_it_is_the_same_agent_each_time_that_it_is_made(file: Path) -> None:
    agent = reference(file, "Mood")
    first = [defend.make(agent, GAME, seed)[0].defender._agent.mood for seed in (0, 0, 1, 2, 3)]  # type: ignore[attr-defined]
    assert first[0] == first[1]
    assert len(set(first)) > 1


@pytest.mark.parametrize("engine", ["fast", "cyborg"])
@pytest.mark.parametrize("name", ["Restore", "Mood"])
def test_what_is_traced_comes_to_the_same(name: str, engine: str, file: Path) -> None:
    asked = request(reference(file, name), engine=engine)
    lines: list[str] = []
    assert evaluate(replace(asked, is_traced=True), write_traces=lines.append) == evaluate(asked)
    assert "".join(lines).count("\n") == sum(asked.num_episodes for _ in asked.scenarios)


def test_where_a_traced_agent_fails_is_told_as_well(file: Path) -> None:
    with pytest.raises(DefenderFailedError) as error:
        evaluate(replace(request(reference(file, "Bad", how="exits", at="7")), is_traced=True))
    assert "failed in step 7 of episode 0" in str(error.value)
    assert str(error.value).endswith("SystemExit: 3")
