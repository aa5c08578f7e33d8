"""Games in which a host has the address that a process of Defender names: one in 4,779 (`network.draw_addresses`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.mersenne import HOST_ORDER

if TYPE_CHECKING:
    from types import ModuleType

GAMES = {1097: "Op_Server0", 3082: "User1", 3445: "User4", 7425: "Enterprise1", 16503: "Op_Host1", 18142: "User0"}
"""The first six seeds of such games, and the hosts."""


def test_these_are_such_games(fidelity: ModuleType) -> None:
    assert {seed: fidelity.recorded.host_of(seed) for seed in GAMES} == GAMES
    assert list(fidelity.recorded.seeds_from(0, 3)) == list(GAMES)[:3]


def test_the_bench_finds_and_plays_them(fidelity: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert fidelity.main(["--recorded=2", "--red=RedMeanderAgent", "--policy=sleep", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["episodes"], report["steps"], report["mismatches"]) == (2, 200, 0)


@pytest.mark.parametrize("red_agent", ["B_lineAgent", "RedMeanderAgent"])
def test_the_engine_plays_them_as_cyborg(fidelity: ModuleType, other_scenario: dict[str, Any], red_agent: str) -> None:
    for policy in fidelity.POLICIES:
        tally = fidelity.compare(
            fidelity.Job(red_agent, policy, 0, len(GAMES), "adapter", "head", other_scenario, tuple(GAMES))
        )
        assert tally.first is None
        assert tally.steps == 100 * len(GAMES)


@pytest.mark.parametrize(
    ("policy", "profile", "seed"),
    [("sleep", "head", 1097), ("reactive", "head", 3082), ("decoy", "head", 7425), ("restore", "leaderboard", 3445)],
)
def test_the_engine_plays_them_as_the_stock_wrapper(
    fidelity: ModuleType, other_scenario: dict[str, Any], policy: str, profile: str, seed: int
) -> None:
    job = fidelity.Job("RedMeanderAgent", policy, 0, 1, "stock", profile, other_scenario, (seed,))
    tally = fidelity.compare(job)
    assert tally.first is None
    assert tally.steps == 100


@pytest.mark.parametrize("red_agent", ["B_lineAgent", "RedMeanderAgent"])
def test_the_address_matters_to_meander_alone(red_agent: str) -> None:
    num_changed = 0
    for seed in GAMES:
        env, without = FastEnv(red_agent), FastEnv(red_agent)
        env.reset(seed)
        without.reset(seed)
        assert env.batch.games["address_order"][0] != HOST_ORDER
        without.batch.games["address_order"] = HOST_ORDER
        for _ in range(100):
            env.step(0)
            without.step(0)
        num_changed += env.batch.generator_state(0) != without.batch.generator_state(0)
    assert (num_changed > 0) == (red_agent == "RedMeanderAgent")
