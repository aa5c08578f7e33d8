from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from types import ModuleType

POLICIES = ("random", "reactive", "restore", "decoy", "sleep")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_the_engine_is_cyborg(
    fidelity: ModuleType, other_scenario: dict[str, Any], red_agent: str, policy: str
) -> None:
    """Everything at every step, over several resets of one environment, some in mid-episode or beyond 100 steps."""
    tally = fidelity.compare(fidelity.Job(red_agent, policy, 20, 4, "stock", "head", other_scenario))
    assert tally.first is None
    assert tally.episodes == 4


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("red_agent", spec.RED_AGENTS)
def test_the_engine_is_the_adapter(fidelity: ModuleType, red_agent: str, policy: str) -> None:
    tally = fidelity.compare(fidelity.Job(red_agent, policy, 1000, 4, "adapter", "head"))
    assert tally.first is None
    assert tally.steps == 400


@pytest.mark.parametrize("policy", ["restore", "decoy"])
@pytest.mark.parametrize("red_agent", ["B_lineAgent", "RedMeanderAgent"])
def test_the_engine_plays_the_leaderboard_game_too(fidelity: ModuleType, red_agent: str, policy: str) -> None:
    tally = fidelity.compare(fidelity.Job(red_agent, policy, 40, 4, "stock", "leaderboard"))
    assert tally.first is None
    assert tally.episodes == 4


def test_a_difference_is_found_and_explained(fidelity: ModuleType) -> None:
    """The two profiles differ after a Restore; comparing one with the other has to show it."""
    with fidelity.leaderboard_rules():
        found = [
            fidelity._compare(fidelity.Job(red_agent, "restore", seed, 5, "stock", "head")).first
            for red_agent, seed in (("RedMeanderAgent", 60), ("B_lineAgent", 80))
        ]
    mismatch = next(first for first in found if first is not None)
    assert mismatch.cyborg != mismatch.engine
    assert mismatch.policy == "restore"


@cache
def environments(fidelity: ModuleType, red_agent: str) -> tuple[Any, FastEnv]:
    return fidelity.Stock(red_agent, 0), FastEnv(red_agent)


host_actions = st.builds(
    lambda kind, host: spec.ANALYSE + spec.NUM_HOSTS * kind + host,
    st.sampled_from([0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    st.sampled_from([0, 1, 2, 3, 7, 8, 9, 10, 11, 12]),
)
resets = st.one_of(st.integers(), st.sampled_from([0, 2**31, 2**63, 2**64 - 1, -(2**63), 2**1000]), st.none()).map(
    lambda seed: ("reset", seed)
)


@settings(max_examples=6)  # each plays a second and more of CybORG; those above go over policies and seeds
@given(
    red_agent=st.sampled_from(spec.RED_AGENTS[:2]),
    seed=st.integers(),
    moves=st.lists(st.one_of(*[host_actions] * 12, resets), min_size=30, max_size=60),
)
def test_any_actions_and_resets_in_any_order(
    fidelity: ModuleType, red_agent: str, seed: int, moves: list[int | tuple[str, int | None]]
) -> None:
    cyborg, fast = environments(fidelity, red_agent)
    kept = random.getstate()
    try:
        for move in [("reset", seed), *moves]:
            if isinstance(move, tuple):
                assert cyborg.reset(move[1]) == fast.reset(move[1]).tolist()
            else:
                theirs = cyborg.step(move)
                observation, reward = fast.step(move)
                assert theirs == (observation.tolist(), reward, fast.red_hosts())
            assert cyborg.generator_state() == fast.batch.generator_state(0)
    finally:
        random.setstate(kept)
