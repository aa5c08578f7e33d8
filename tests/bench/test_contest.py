from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

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
    rows = tallies(agent, profile, num_episodes=2, num_scenarios=4)
    assert [(row.episodes, row.first) for row in rows] == [(2, None)] * 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("profile", ["head", "leaderboard"])
@pytest.mark.parametrize("agent", AGENTS[:3])
def test_200_episodes_of_each_scenario_are(agent: str, profile: Profile) -> None:
    rows = tallies(agent, profile, num_episodes=200, num_scenarios=9)
    assert [(row.episodes, row.first) for row in rows] == [(200, None)] * 9


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
