from __future__ import annotations

import json
import sys
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.evaluate import evaluation
from pipeline.evaluate.evaluation import Request, evaluate, useful_workers
from pipeline.evaluate.scenario import PROTOCOL, Scenario
from pipeline.evaluate.task import Policy
from pipeline.play.game import GameSpec
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import Engine
    from pipeline.evaluate.task import Episodes, Task

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


def test_a_scenario_is_the_same_whatever_it_is_played_with() -> None:
    one, other = evaluate(REQUEST)
    assert evaluate(replace(REQUEST, scenarios=TWO[::-1])) == (other, one)
    assert evaluate(replace(REQUEST, scenarios=TWO[1:])) == (other,)
    assert one.env_reward != other.env_reward


@pytest.mark.parametrize(
    ("agent", "engine", "needed"),
    [
        (REQUEST.agent, "fast", ["rollout"]),
        (REQUEST.agent, "cyborg", ["cyborg", "steps"]),
        ("sleep", "fast", ["engine"]),
        ("sleep", "cyborg", ["cyborg"]),
    ],
)
def test_what_is_not_called_is_not_compiled(
    agent: Policy | str, engine: Engine, needed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []
    for what, name in (
        ("pipeline.play.rollout.warm_up", "rollout"),
        ("pipeline.play.episode.warm_up", "steps"),
        ("pipeline.cage2.engine.game_batch.warm_up", "engine"),
        ("pipeline.play.game.load_cyborg", "cyborg"),
        ("pipeline.evaluate.evaluation.load_cyborg", "cyborg"),
    ):
        monkeypatch.setattr(what, lambda *_, name=name: prepared.append(name))
    evaluate(replace(REQUEST, agent=agent, game=replace(GAME, engine=engine), scenarios=()))
    assert prepared == needed


@pytest.mark.parametrize(
    ("agent", "engine", "needed"),
    [
        (REQUEST.agent, "fast", ["engine", "policy"]),
        (REQUEST.agent, "cyborg", ["cyborg", "policy"]),
        ("sleep", "fast", ["engine"]),
        ("sleep", "cyborg", ["cyborg"]),
    ],
)
def test_what_traces_need_is_compiled(
    agent: Policy | str, engine: Engine, needed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []
    for what, name in (
        ("pipeline.play.rollout.warm_up", "rollout"),
        ("pipeline.cage2.engine.game_batch.warm_up", "engine"),
        ("pipeline.trace.blue.warm_up", "policy"),
        ("pipeline.trace.recorder.load_cyborg", "cyborg"),
    ):
        monkeypatch.setattr(what, lambda *_, name=name: prepared.append(name))
    evaluate(replace(REQUEST, agent=agent, game=replace(GAME, engine=engine), scenarios=(), is_traced=True))
    assert prepared == needed


def test_traces_change_no_result_and_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "STEPS_PER_TASK", {"fast": 25_000, "cyborg": 100})
    request = replace(REQUEST, num_episodes=5, is_traced=True)
    assert [request.num_tasks(scenario) for scenario in TWO] == [2, 3]
    written: list[str] = []
    assert evaluate(request, write_traces=written.append) == evaluate(replace(request, is_traced=False))
    traces = [json.loads(line) for line in "".join(written).splitlines()]
    assert [(trace["red_agent"], trace["index"]) for trace in traces] == [
        (scenario.red_agent, index) for scenario in TWO for index in range(5)
    ]
    assert len(written) == 5


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "STEPS_PER_TASK", {"fast": 300})
    noted: list[int] = []
    evaluate(REQUEST, noted.append)
    assert noted == [10, 10, 6, 6, 6, 2]


def test_subnormal_numbers_are_flushed_while_it_plays_and_not_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    play, halves = evaluation.play, []

    def noting(task: Task) -> Episodes:
        halves.append(sys.float_info.min / 2)
        return play(task)

    monkeypatch.setattr(evaluation, "play", noting)
    evaluate(REQUEST, lambda _: halves.append(sys.float_info.min / 2))
    assert halves[::2] == [0, 0]
    assert min(halves[1::2]) > 0


def test_processes_are_started_where_they_pay() -> None:
    protocol = replace(REQUEST, scenarios=PROTOCOL, num_episodes=1000)
    on_cyborg = replace(protocol, game=replace(GAME, engine="cyborg"))
    assert protocol.num_steps == 540_000
    assert [useful_workers(request, 8) for request in (protocol, on_cyborg)] == [1, 8]
    assert useful_workers(replace(protocol, num_episodes=100_000), 8) == 8
    costs = [useful_workers(replace(on_cyborg, num_episodes=number), 8) for number in (1, 10, 100, 1000)]
    assert all(fewer <= more for fewer, more in pairwise(costs))
    assert costs[0] == 1
