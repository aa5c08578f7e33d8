"""Games that CybORG played (`bench/record_golden.py`), for machines where it isn't installed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.mersenne import HOST_ORDER

TRACES = json.loads(Path(__file__).with_name("golden.json").read_text())


@pytest.mark.parametrize("trace", TRACES, ids=lambda t: f"{t['profile']}-{t['red_agent']}-{t['seed']}")
def test_the_engine_plays_it_again(trace: dict[str, Any]) -> None:
    env = FastEnv(trace["red_agent"], trace["profile"])
    env.reset(int(trace["seed"]), is_new=True)
    observations, rewards, red_hosts = [], [], []
    for action in trace["actions"]:
        observation, reward = env.step(action)
        observations.append(f"{int(''.join(map(str, observation)), 2):013x}")
        rewards.append(reward)
        red_hosts.append(env.red_hosts())
    assert observations == trace["observations"].split()
    assert rewards == trace["rewards"]
    assert red_hosts == trace["red_hosts"]
    assert hashlib.sha256(repr(env.batch.generator_state(0)).encode()).hexdigest() == trace["generator"]


def test_the_address_that_defender_names_is_in_some() -> None:
    """One game in 4,779 is played otherwise by Meander for it."""
    orders = set()
    for trace in TRACES:
        env = FastEnv(trace["red_agent"], trace["profile"])
        env.reset(int(trace["seed"]), is_new=True)
        orders.add(int(env.batch.games["address_order"][0]))
    assert len(orders) == 3
    assert HOST_ORDER in orders


def test_both_profiles_are_there_and_differ() -> None:
    leaderboard = [trace for trace in TRACES if trace["profile"] == "leaderboard"]
    as_head = []
    for trace in leaderboard:
        env = FastEnv(trace["red_agent"])
        env.reset(int(trace["seed"]), is_new=True)
        as_head.append([env.step(action)[1] for action in trace["actions"]])
    assert len(TRACES) > len(leaderboard) > 0
    assert any(rewards != trace["rewards"] for rewards, trace in zip(as_head, leaderboard, strict=True))
