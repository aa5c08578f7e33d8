from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts.spec import RED_AGENTS
from pipeline.evaluate.results import ScenarioResult, summarize, total_score
from pipeline.evaluate.scenario import PROTOCOL, Scenario
from pipeline.evaluate.task import Episodes
from pipeline.types import Estimate

SCENARIO = Scenario("B_lineAgent", 30)
TENTHS = st.lists(st.integers(-20_000, 0), min_size=2, max_size=50)


NAMES = ("Sleep", "Remove User1", "Restore User1")


def episodes(
    tenths: list[int], compliance: list[float] | None = None, action_counts: tuple[int, int, int] = (0, 0, 0)
) -> Episodes:
    shares = None if compliance is None else np.array(compliance)
    return Episodes(np.array(tenths), shares, np.array(action_counts))


@given(TENTHS)
def test_mean_and_deviation_are_those_of_a_sample(tenths: list[int]) -> None:
    points = [number / 10 for number in tenths]
    result = summarize(SCENARIO, NAMES, [episodes(tenths)])
    assert result.num_episodes == len(tenths)
    # both round once or twice, in another order
    assert result.env_reward.mean == pytest.approx(statistics.mean(points), rel=1e-15)
    assert result.std == pytest.approx(statistics.stdev(points), rel=1e-12, abs=1e-12)
    assert result.env_reward.stderr == result.std / math.sqrt(len(tenths))
    assert result.compliance is None


@given(TENTHS, st.data())
def test_the_parts_do_not_matter(tenths: list[int], data: st.DataObject) -> None:
    compliance = data.draw(st.lists(st.floats(0, 1), min_size=len(tenths), max_size=len(tenths)))
    cut = data.draw(st.integers(1, len(tenths) - 1))
    parts = [episodes(tenths[:cut], compliance[:cut]), episodes(tenths[cut:], compliance[cut:])]
    assert summarize(SCENARIO, NAMES, parts) == summarize(SCENARIO, NAMES, [episodes(tenths, compliance)])


def test_compliance_is_the_mean_over_episodes() -> None:
    result = summarize(SCENARIO, NAMES, [episodes([0, 0, 0, 0], [1.0, 0.5, 0.5, 0.0])])
    assert result.compliance == Estimate(0.5, statistics.stdev([1.0, 0.5, 0.5, 0.0]) / 2)


def test_actions_are_counted_per_episode_the_most_frequent_first() -> None:
    parts = [episodes([0, 0], action_counts=(3, 0, 4)), episodes([0, 0], action_counts=(0, 0, 3))]
    result = summarize(SCENARIO, NAMES, parts)
    assert list(result.actions.items()) == [("Restore User1", 1.75), ("Sleep", 0.75)]


def test_a_single_episode_has_no_deviation() -> None:
    result = summarize(SCENARIO, NAMES, [episodes([-13], [0.5])])
    assert (result.env_reward, result.std, result.compliance) == (Estimate(-1.3, 0.0), 0.0, Estimate(0.5, 0.0))


def result(scenario: Scenario, mean: float) -> ScenarioResult:
    return ScenarioResult(scenario, 100, Estimate(mean, 2.0), 20.0, None, {})


def test_the_total_score_is_the_sum_of_the_nine_means() -> None:
    nine = [result(scenario, -(2.0**place)) for place, scenario in enumerate(PROTOCOL)]
    assert total_score(nine) == Estimate(-511.0, 6.0)
    assert total_score(nine[::-1]) == total_score(nine)
    assert total_score(nine[1:]) is None
    longer = [result(Scenario(red_agent, 200), -1000.0) for red_agent in RED_AGENTS]
    assert total_score([*nine, *longer]) == total_score(nine)
    assert total_score([*nine[1:], *longer]) is None
