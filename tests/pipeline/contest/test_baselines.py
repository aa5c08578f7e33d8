from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.spec import ACTION_NAMES, HOST_NAMES, NUM_ACTIONS, OBSERVATION_SIZE
from pipeline.contest.baselines import CONTEST_BASELINES, RandomAgent
from pipeline.contest.generator import random_kept
from pipeline.contest.protocol import play
from pipeline.contest.scenarios import SCENARIOS

LEADERBOARD = {
    "BlueReactRestore": (-58.83, -44.29, -27.0, -93.05, -85.75, -46.0, -184.34, -192.63, -92.0),
    "Random": (-154.06, -33.43, -2.8, -347.1, -171.49, -4.45, -726.92, -566.41, -8.94),
    "Sleep": (-218.65, -39.31, 0.0, -480.17, -267.6, 0.0, -1134.03, -972.43, 0.0),
}
"""The contest's, as published in the README of cage-challenge-2: 1,000 episodes each, after `random.seed(153)`."""
UNSEEN = np.ones(OBSERVATION_SIZE, np.int64)


def means(name: str, num_scenarios: int) -> list[float]:
    played = play(
        CONTEST_BASELINES[name],
        lambda red_agent: FastEnv(red_agent, "leaderboard"),
        153,
        1000,
        scenarios=SCENARIOS[:num_scenarios],
    )
    return [scenario.mean for scenario in played]


@pytest.mark.parametrize(("name", "num_scenarios"), [("BlueReactRestore", 3), ("Random", 1), ("Sleep", 3)])
def test_its_leaderboard_is_played_again_digit_by_digit(name: str, num_scenarios: int) -> None:
    assert means(name, num_scenarios) == pytest.approx(LEADERBOARD[name][:num_scenarios], rel=0, abs=0.005001)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LEADERBOARD)
def test_all_nine_scenarios_of_the_leaderboard_are(name: str) -> None:
    assert means(name, 9) == pytest.approx(LEADERBOARD[name], rel=0, abs=0.005001)


@pytest.mark.parametrize("kind", ["Restore", "Remove"])
def test_the_reacting_agents_go_round_all_hosts_but_user0(kind: str) -> None:
    agent = CONTEST_BASELINES[f"BlueReact{kind}"]().agent
    going_round = ["Monitor", *(f"{kind} {host}" for host in HOST_NAMES if host != "User0")]
    for num_steps in (30, 50):
        agent.begin(num_steps)
        actions = [ACTION_NAMES[agent.act(UNSEEN, None)] for _ in range(num_steps)]
        agent.end()
        assert actions == [going_round[step % 13] for step in range(num_steps)]


def test_the_sleeping_agent_sleeps() -> None:
    assert {CONTEST_BASELINES["Sleep"]().agent.act(UNSEEN, None) for _ in range(3)} == {0}


def test_the_random_agent_draws_from_the_generator_of_the_module() -> None:
    agent = RandomAgent()
    with random_kept():
        random.seed(1)
        drawn = [agent.act(UNSEEN, None) for _ in range(20 * NUM_ACTIONS)]
        random.seed(1)
        assert drawn == [random.randint(0, 144) for _ in drawn]  # noqa: S311
    assert len(Counter(drawn)) == NUM_ACTIONS


def test_who_draws_says_so() -> None:
    assert {name for name, make in CONTEST_BASELINES.items() if make().draws} == {"Random"}
