from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from pipeline.cage2.blue.interface import Interface
from pipeline.cage2.facts.names import Compromised
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.contest.entry import Entry
from pipeline.contest.protocol import Played
from pipeline.estimates import sample_std
from pipeline.evaluate.contest import Choosing, Untold, _result, evaluate_by_contest
from pipeline.evaluate.scenario import PROTOCOL
from pipeline.play.baselines import play_random, play_restore
from pipeline.play.game import GameSpec

OBSERVATION = np.zeros(52, np.int64)


def spec(**changes: Any) -> GameSpec:
    values = {"engine": "fast", "profile": "head", **changes}
    return GameSpec(
        "B_lineAgent", cyborg="csle", compromised=Compromised.FIXABLE, num_steps=1, interface=Interface(), **values
    )


def test_a_baseline_of_the_projects_draws_from_its_own_seed() -> None:
    before = random.getstate()
    first, second, other = (
        [Choosing(play_random, seed).act(OBSERVATION, None) for _ in range(1)] for seed in (1, 1, 2)
    )
    assert first == second != other
    assert random.getstate() == before
    agent = Choosing(play_random, 0)
    agent.begin(30)
    assert len({agent.act(OBSERVATION, None) for _ in range(50)}) > 30
    agent.end()
    seen = OBSERVATION.copy()
    seen[4 * 3 + 2] = 1
    assert Choosing(play_restore, 0).act(seen, None) == 132 + 3


def test_an_agent_in_cyborgs_form_is_asked_as_by_the_script() -> None:
    heard: list[Any] = []

    class Agent:
        def get_action(self, observation: Any, action_space: Any) -> int:
            heard.append((observation, action_space))
            return 7

        def end_episode(self) -> None:
            heard.append("end")

    agent = Untold(Agent())
    agent.begin(30)
    assert agent.act(OBSERVATION, None) == 7
    agent.end()
    assert heard == [(OBSERVATION, 145), "end"]


def test_a_result_has_what_the_script_computes() -> None:
    counts = np.zeros(145, np.int64)
    counts[[0, 15]] = 59, 1
    returns = [-3.4000000000000004, -1.1]
    result = _result(Played("RedMeanderAgent", 30, returns, counts))
    assert (result.scenario, result.num_episodes) == (PROTOCOL[1], 2)
    assert result.env_reward.mean == -2.25
    assert result.std == pytest.approx(sample_std(np.array(returns)))
    assert result.env_reward.stderr == pytest.approx(result.std / 2**0.5)
    assert result.actions == {"Sleep": 29.5, "Remove Defender": 0.5}


def test_either_engine_and_either_profile_are_played() -> None:
    def results(name: str, **changes: Any) -> list[float]:
        told: list[int] = []
        played = evaluate_by_contest(CONTEST_BASELINES[name], spec(**changes), 1, 1, told.append)
        assert tuple(result.scenario for result in played) == PROTOCOL
        assert told == [1] * 9
        return [result.env_reward.mean for result in played]

    assert results("Random") == results("Random", engine="cyborg")
    restored = [
        evaluate_by_contest(
            lambda: Entry(Choosing(play_restore, 0), draws=False), spec(profile=profile), 0, 4, lambda _: None
        )
        for profile in ("head", "leaderboard")
    ]
    assert restored[0] != restored[1]
