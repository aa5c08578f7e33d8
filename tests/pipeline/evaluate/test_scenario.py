from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.evaluate.scenario import PROTOCOL, Scenario

SCENARIOS = st.builds(Scenario, st.sampled_from(RED_AGENTS), st.integers(1, 10_000))


def test_the_protocol_is_cage_2s() -> None:
    steps = [30, 30, 30, 50, 50, 50, 100, 100, 100]
    agents = ["B_lineAgent", "RedMeanderAgent", "SleepAgent"] * 3
    assert [(scenario.num_steps, scenario.red_agent) for scenario in PROTOCOL] == list(zip(steps, agents, strict=True))


@given(SCENARIOS, SCENARIOS)
def test_scenarios_share_no_seeds(one: Scenario, other: Scenario) -> None:
    assert (one.group == other.group) == (one == other)
    assert one.group >= 0


def test_a_scenario_keeps_its_seeds_for_ever() -> None:
    assert [scenario.group for scenario in PROTOCOL] == [90, 91, 92, 150, 151, 152, 300, 301, 302]


def test_games_against_ones_own_are_apart_from_all_others() -> None:
    names = ["a.py:Mine", "b.py:Yours", "a:Theirs", *RED_AGENTS]
    groups = [Scenario(name, steps).group for name in names for steps in (30, 10_000)]
    assert len(set(groups)) == len(groups)
    assert Scenario("a.py:Mine", 30).group == Scenario("elsewhere/a.py:Mine", 30).group >= 0
