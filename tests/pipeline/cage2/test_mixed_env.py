from __future__ import annotations

import numpy as np
import pytest

from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.names import UnknownRedAgentError
from pipeline.cage2.mixed_env import MIXED, MIXED_AGENTS, MixedEnv, mixed_index, red_agents_of

ACTIONS = [0, 2, 17, 133, 54, 0, 139, 9, 0, 0, 28, 141]


def play(env: MixedEnv | FastEnv, seed: int) -> list[object]:
    seen: list[object] = [env.reset(seed).tolist()]
    for action in ACTIONS:
        observation, reward = env.step(action)
        seen.append((observation.tolist(), reward, env.red_hosts()))
    return seen


@pytest.mark.parametrize("env_class", [FastEnv, CyborgEnv])
def test_each_seed_has_its_agent_whatever_was_played_before(env_class: type) -> None:
    mixed = MixedEnv([env_class(agent) for agent in MIXED_AGENTS])
    for seed in (4, 7, 8, 10, 13, 4):
        assert play(mixed, seed) == play(FastEnv(MIXED_AGENTS[mixed_index(seed)]), seed)


def test_the_agents_are_told_apart() -> None:
    assert all(play(FastEnv(MIXED_AGENTS[0]), seed) != play(FastEnv(MIXED_AGENTS[1]), seed) for seed in range(4))


def test_half_of_the_seeds_has_each() -> None:
    indices = np.array([mixed_index(seed) for seed in range(1000)])
    assert [int((indices == i).sum()) for i in range(len(MIXED_AGENTS))] == [500, 500]


def test_a_list_of_any_length_has_equal_shares() -> None:
    indices = np.array([mixed_index(seed, 5) for seed in range(1000)])
    assert [int((indices == i).sum()) for i in range(5)] == [200] * 5
    envs = [FastEnv("SleepAgent"), FastEnv("B_lineAgent"), FastEnv("RedMeanderAgent")]
    for seed in (3, 4, 5):
        expected = FastEnv(("SleepAgent", "B_lineAgent", "RedMeanderAgent")[seed % 3])
        assert play(MixedEnv(envs), seed) == play(expected, seed)


def test_who_may_attack() -> None:
    assert red_agents_of(MIXED) == MIXED_AGENTS == red_agents_of("B_lineAgent,RedMeanderAgent")
    assert red_agents_of("SleepAgent") == ("SleepAgent",)
    assert red_agents_of("SleepAgent, my.py:Mine ,a.b:C") == ("SleepAgent", "my.py:Mine", "a.b:C")


@pytest.mark.parametrize("name", ["", "Pink", "SleepAgent,", "Mixed,SleepAgent", "a:B,a:B", "a:B:C"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UnknownRedAgentError, match="choose one of B_lineAgent, RedMeanderAgent, SleepAgent, Mixed, or"):
        red_agents_of(name)
