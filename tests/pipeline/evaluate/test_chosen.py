from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import seeding
from pipeline.config import Config
from pipeline.defenders.reference import AgentReference, target_of
from pipeline.evaluate.chosen import compared, of_the_run
from pipeline.evaluate.evaluation import EPISODES_PER_AGENT, Request, evaluate
from pipeline.evaluate.scenario import Scenario
from pipeline.learn.evaluation import STRIDE
from pipeline.seeding import Purpose

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = Config(red_agent="RedMeanderAgent", seed=4)


def test_episodes_are_those_of_an_evaluation() -> None:
    scenario = Scenario("RedMeanderAgent", 30)
    chosen = compared(CONFIG, 30, range(5))
    (result,) = evaluate(Request("restore", chosen.game, (scenario,), 5, 4))
    traces = list(chosen.play("restore"))
    assert [trace.index for trace in traces] == list(range(5))
    assert sum(trace.total_reward for trace in traces) / 5 == pytest.approx(result.env_reward.mean)
    assert list(compared(CONFIG, 30, range(3, 5)).play("restore")) == traces[3:]


def test_of_several_attackers_the_first_is_met() -> None:
    mixed = compared(CONFIG.model_copy(update={"red_agent": "Mixed"}), None, range(1))
    assert (mixed.game.red_agent, mixed.num_steps) == ("B_lineAgent", 100)
    assert mixed.group == Scenario("B_lineAgent", 100).group


def test_episodes_of_a_run_have_its_seeds() -> None:
    config = CONFIG.model_copy(update={"episode_steps": 5})
    (trace,) = of_the_run(config, 17, Purpose.EVALUATION, range(3, 4), visit=2).play("sleep")
    environment, actions = seeding.episode_seeds(4, 17, [2 * STRIDE + 3], Purpose.EVALUATION)
    assert (trace.environment_seed, trace.actions_seed) == (int(environment[0]), int(actions[0]))
    assert len(trace.steps) == 5


def test_who_remembers_has_played_the_episodes_before(tmp_path: Path) -> None:
    """An agent that others wrote is made anew every so many episodes, and plays from there."""
    path = tmp_path / "mine.py"
    path.write_text(
        "class Agent:\n"
        "    num_begun = 0\n"
        "    def begin(self, num_steps):\n"
        "        self.num_begun += 1\n"
        "    def act(self, observation, view):\n"
        "        return self.num_begun + 1\n"
    )
    target = target_of(f"{path}:Agent")
    assert target is not None
    agent = AgentReference(str(path), target, arguments=(), observation="stock", greedy=False, step_timeout_s=9)
    index = EPISODES_PER_AGENT + 2
    (trace,) = compared(CONFIG, 2, range(index, index + 1)).play(agent)
    assert trace.index == index
    assert {step.blue.action for step in trace.steps} == {"Analyse Enterprise1"}  # action 4, in its third episode
