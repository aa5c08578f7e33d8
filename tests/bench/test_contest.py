from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.config import Config
from pipeline.contest.entry import Entry
from pipeline.contest.generator import random_kept
from pipeline.contest.protocol import play
from pipeline.evaluate.contest import Untold
from pipeline.evaluate.trained import Trained
from pipeline.export.agent import TrainedAgent
from pipeline.policy.params import PolicyShape

if TYPE_CHECKING:
    from pipeline.cage2.facts.names import Profile

AGENTS = ("stateful", "stochastic", "sb3", "BlueReactRestore", "BlueReactRemove")


def tallies(agent: str, profile: Profile, num_episodes: int, num_scenarios: int) -> list[Any]:
    contest = import_module("contest")
    rows: list[Any] = contest.compare(agent, profile, 0, num_episodes, contest.SCENARIOS[:num_scenarios])
    return rows


@pytest.mark.parametrize("profile", ["head", "leaderboard"])
@pytest.mark.parametrize("agent", AGENTS)
def test_the_contest_is_played_as_by_cyborg(agent: str, profile: Profile) -> None:
    rows = tallies(agent, profile, num_episodes=2, num_scenarios=2)
    assert [(row.episodes, row.first) for row in rows] == [(2, None)] * 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("profile", ["head", "leaderboard"])
@pytest.mark.parametrize("agent", AGENTS[:3])
def test_200_episodes_of_each_scenario_are(agent: str, profile: Profile) -> None:
    rows = tallies(agent, profile, num_episodes=200, num_scenarios=9)
    assert [(row.episodes, row.first) for row in rows] == [(200, None)] * 9


@pytest.mark.parametrize("greedy", [True, False])
def test_a_trained_policy_enters_as_it_plays_in_the_script(greedy: bool) -> None:
    """It remembers, is told no length of an episode, and the generator needn't be handed over to it."""
    shape = PolicyShape.of(Interface(observation_memory=True, actions="merged"))
    config = Config(observation_memory=True, actions="merged")
    weights = np.random.default_rng(1).normal(0, 0.3, shape.actor.num_values).astype(np.float32)
    trained = Trained(
        Path("run"), config, 17, "as asked for", 20, 1280, weights, np.zeros(shape.critic.num_values, np.float32)
    )
    scenarios = (("B_lineAgent", 30), ("RedMeanderAgent", 50))
    script = import_module("parts.contest_script")
    with random_kept():
        theirs = list(script.play_script(lambda: TrainedAgent(trained, greedy=greedy, seed=1), 4, 2, scenarios))

    ours = play(
        lambda: Entry(Untold(TrainedAgent(trained, greedy=greedy, seed=1)), draws=False),
        FastEnv,
        4,
        2,
        scenarios=scenarios,
    )
    assert [[episode.total for episode in episodes] for episodes in theirs] == [played.returns for played in ours]


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that isn't the same on both sides."""
    contest = import_module("contest")
    made: list[int] = []

    class Changing(contest.AGENTS["stateful"]):  # type: ignore[misc]  # which is Any
        def __init__(self) -> None:
            super().__init__()
            made.append(0)
            self._num_decoys = len(made)

    monkeypatch.setitem(contest.AGENTS, "stateful", Changing)
    (row,) = tallies("stateful", "head", num_episodes=1, num_scenarios=1)
    assert row.mismatches == 1
    assert row.first.startswith("episode 0: action at step 0: CybORG")


def test_the_command_tells_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    contest = import_module("contest")
    monkeypatch.setattr(contest, "SCENARIOS", contest.SCENARIOS[:2])
    assert contest.main(["--agent=stateful", "--episodes=1", "--seed=5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(row["agent"], row["red_agent"], row["mismatches"]) for row in report["rows"]] == [
        ("stateful", "B_lineAgent", 0),
        ("stateful", "RedMeanderAgent", 0),
    ]
