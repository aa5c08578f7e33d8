from __future__ import annotations

import multiprocessing
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.compliance import Compromised
from pipeline.evaluate import evaluation
from pipeline.evaluate.evaluation import Request, WorkerDiedError, evaluate, useful_workers
from pipeline.evaluate.play import Policy
from pipeline.evaluate.scenario import PROTOCOL, Scenario
from pipeline.play.game import GameSpec
from pipeline.policy.params import PolicyShape

WEIGHTS = np.random.default_rng(1).normal(0, 0.3, PolicyShape().actor.num_values).astype(np.float32)
GAME = GameSpec("B_lineAgent", "fast", "head", "csle", Compromised.FIXABLE, 100, Interface())
TWO = (Scenario("RedMeanderAgent", 30), Scenario("B_lineAgent", 50))
REQUEST = Request(Policy(WEIGHTS, 37, greedy=False), GAME, TWO, num_episodes=20, seed=3)


@given(st.integers(1, 3000), st.sampled_from(["fast", "cyborg"]), st.integers(1, 10_000))
def test_tasks_hold_every_episode_once(num_episodes: int, engine: str, num_steps: int) -> None:
    scenario = Scenario("SleepAgent", num_steps)
    game = replace(GAME, engine=engine)  # type: ignore[arg-type]  # one of the two
    request = replace(REQUEST, game=game, scenarios=(*TWO, scenario), num_episodes=num_episodes)
    for of_scenario in request.scenarios:
        tasks = list(request.tasks(of_scenario))
        assert len(tasks) == request.num_tasks(of_scenario)
        assert [index for task in tasks for index in task.indices] == list(range(num_episodes))
        for task in tasks:
            assert (task.game.red_agent, task.game.num_steps) == (of_scenario.red_agent, of_scenario.num_steps)
            assert (task.group, task.seed, task.game.engine) == (of_scenario.group, 3, engine)


@pytest.fixture
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tasks for every worker, though there is little to do."""
    monkeypatch.setattr(evaluation, "STEPS_PER_TASK", {"fast": 100, "cyborg": 100})


@pytest.mark.usefixtures("small_tasks")
@pytest.mark.parametrize("agent", [REQUEST.agent, "random"], ids=["policy", "random"])
def test_the_number_of_processes_changes_nothing(agent: Policy | str) -> None:
    request = replace(REQUEST, agent=agent)
    noted: list[int] = []
    alone = evaluate(request, 1)
    assert evaluate(request, 2, noted.append) == alone
    assert sum(noted) == 40
    assert len(noted) > 2
    assert [result.scenario for result in alone] == list(TWO)
    on_cyborg = replace(request, game=replace(GAME, engine="cyborg"))
    assert evaluate(on_cyborg, 2) == alone


def test_a_scenario_is_the_same_whatever_it_is_played_with() -> None:
    one, other = evaluate(REQUEST, 1)
    assert evaluate(replace(REQUEST, scenarios=TWO[::-1]), 1) == (other, one)
    assert evaluate(replace(REQUEST, scenarios=TWO[1:]), 1) == (other,)
    assert one.env_reward != other.env_reward


def test_a_worker_that_is_killed_is_told_of() -> None:
    def kill_all(_: int) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    request = replace(REQUEST, num_episodes=10_000, agent="random")
    with pytest.raises(WorkerDiedError, match=r"^one of 2 workers died .* fewer --workers$"):
        evaluate(request, 2, kill_all)
    assert not multiprocessing.active_children()


def test_processes_are_started_where_they_pay() -> None:
    protocol = replace(REQUEST, scenarios=PROTOCOL, num_episodes=1000)
    on_cyborg = replace(protocol, game=replace(GAME, engine="cyborg"))
    assert protocol.num_steps == 540_000
    assert [useful_workers(request, 8) for request in (protocol, on_cyborg)] == [1, 8]
    assert useful_workers(replace(protocol, num_episodes=100_000), 8) == 8
    costs = [useful_workers(replace(on_cyborg, num_episodes=number), 8) for number in (1, 10, 100, 1000)]
    assert all(fewer <= more for fewer, more in pairwise(costs))
    assert costs[0] == 1
