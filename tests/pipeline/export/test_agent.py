from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline import load_agent
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.order_names import UnknownOrderError, order_name
from pipeline.cage2.facts.spec import OBSERVATION_SIZE
from pipeline.collect.methods import game_spec
from pipeline.errors import SetupError
from pipeline.export.agent import TrainedAgent
from pipeline.play.player import Player
from pipeline.play.record import HEADER

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.evaluate.trained import Trained
    from tests.pipeline.conftest import MakeRun
    from tests.pipeline.export.conftest import MakeTrained

STEPS = 40


def as_evaluated(trained: Trained, red_agent: str, environment_seed: int) -> dict[str, Any]:
    """An episode as `run.py evaluate --greedy` plays it."""
    game = replace(game_spec(trained.config), red_agent=red_agent, num_steps=STEPS)
    header = HEADER.views(memoryview(bytearray(HEADER.size_bytes)))
    record = game.record.views(memoryview(bytearray(game.record.size_bytes)))
    header["workflow_id"][...], header["greedy"][...] = trained.workflow_id, True
    header["environment_seed"][...] = environment_seed
    assert Player(game, lambda _: trained.weights).play(header, record)
    return record


@pytest.mark.parametrize("red_agent", ["B_lineAgent", "RedMeanderAgent"])
@pytest.mark.parametrize(
    ("memory", "actions", "profile"),
    [(True, "merged", "head"), (True, "merged", "leaderboard"), (True, "all", "head"), (False, "all", "head")],
)
def test_it_plays_as_it_is_evaluated(
    memory: bool, actions: Any, profile: Any, red_agent: str, make_trained: MakeTrained
) -> None:
    trained = make_trained(memory, actions, profile=profile)
    agent = TrainedAgent(trained)
    env = FastEnv(red_agent, profile)
    for seed in range(3):
        record = as_evaluated(trained, red_agent, seed)
        agent.begin(STEPS)
        observation = env.reset(seed)
        for t in range(STEPS):
            np.testing.assert_array_equal(observation, record["observation"][t][:OBSERVATION_SIZE])
            probabilities = agent.probabilities(observation)
            action = agent.act(observation)
            assert max(probabilities) == probabilities[action]
            assert sum(probabilities) == pytest.approx(1)
            observation, reward = env.step(action)
            assert reward == record["reward_tenths"][t]


def test_a_run_is_loaded(make_run: MakeRun) -> None:
    run = make_run({3: 900, 17: 100}, best=17)
    agent = load_agent(str(run))
    assert agent.trained.workflow_id == 17
    assert 0 <= agent.get_action(np.zeros(OBSERVATION_SIZE), 145) < 145
    assert load_agent(run, workflow=order_name(3)).trained.workflow_id == 3


def test_what_is_no_run_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="nowhere is not the folder of a run"):
        load_agent(tmp_path / "nowhere")
    with pytest.raises(UnknownOrderError):
        load_agent(make_run({3: 900}), workflow="x")
