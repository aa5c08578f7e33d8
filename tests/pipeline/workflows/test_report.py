from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, PAIRS, order_name
from pipeline.cage2.facts.orders import ORDERS, PRECEDENCES
from pipeline.cage2.facts.spec import HOST_TYPES
from pipeline.types import TiedOrder
from pipeline.workflows.observations import Observation
from pipeline.workflows.report import (
    MARGIN,
    MIN_OBSERVED,
    MIN_PROBABILITY,
    SearchReport,
    _pair_effects,
    episodes_to_settle,
    report,
)

EVERY = np.ones(NUM_WORKFLOWS, dtype=bool)
ENTERPRISE_FIRST = PRECEDENCES[:, PAIRS.index((1, 4))] == 1


def conclude(observations: list[Observation], eligible: np.ndarray = EVERY, seed: int = 0) -> SearchReport:
    return report(observations, eligible, np.random.default_rng(seed))


def seen(truth: np.ndarray, stderr: float, num: int = NUM_WORKFLOWS, num_episodes: int = 200) -> list[Observation]:
    rng = np.random.default_rng(7)
    tried = np.sort(rng.permutation(NUM_WORKFLOWS)[:num]).tolist()
    return [Observation(i, float(truth[i] + stderr * rng.normal()), stderr, num_episodes) for i in tried]


ONE_PAIR = np.where(ENTERPRISE_FIRST, -18.0, -26.0)


# The best, and what can't be told from it


def test_half_of_the_orders_are_equal_and_the_report_says_so() -> None:
    found = conclude(seen(ONE_PAIR, 0.5, num=40))
    assert found.num_observed == 40
    assert ENTERPRISE_FIRST[found.best]
    assert found.mean == pytest.approx(-18, abs=0.5)
    assert 0 < found.std < 1
    listed = {order.workflow_order for order in found.tied}
    assert listed == {order_name(int(i)) for i in np.flatnonzero(ENTERPRISE_FIRST)}
    assert sum(order.observed for order in found.tied) == sum(
        ENTERPRISE_FIRST[o.workflow_id] for o in seen(ONE_PAIR, 0.5, 40)
    )


def test_a_clear_winner_stands_alone() -> None:
    truth = -40 + 8.0 * (PRECEDENCES @ np.arange(1, 11))
    found = conclude(seen(truth, 0.1))
    assert found.best == truth.argmax()
    assert found.tied == (TiedOrder(order_name(found.best), pytest.approx(1, abs=0.01), observed=True),)
    assert found.within_one[found.best] == found.tied[0].probability
    assert found.settling.num_orders == 1
    assert found.settling.episodes_per_order == 0


def test_probabilities_are_of_being_within_a_point_of_the_highest() -> None:
    """Every order known but for a small error: a point apart counts as equal, two points don't."""
    truth = np.full(NUM_WORKFLOWS, -60.0)
    truth[ORDERS[:, 0] == 0] = -20.0
    truth[ORDERS[:, 0] == 1] = -20.5
    truth[ORDERS[:, 0] == 2] = -22.5
    assert MARGIN == 1
    found = np.array(conclude(seen(truth, 0.2)).within_one)
    assert found[ORDERS[:, 0] == 0].min() > 0.95
    assert found[ORDERS[:, 0] == 1].min() > 0.8
    assert found[ORDERS[:, 0] >= 2].max() < 0.01


def test_the_list_has_all_that_are_probable_enough_the_likeliest_first() -> None:
    truth = -60 + PRECEDENCES @ np.random.default_rng(1).normal(0, 4, 10)
    found = conclude(seen(truth, 2.0, num=30))
    probabilities = [order.probability for order in found.tied]
    assert probabilities == sorted(probabilities, reverse=True)
    assert min(probabilities) >= MIN_PROBABILITY
    assert len(found.tied) == sum(share >= MIN_PROBABILITY for share in found.within_one) > 3
    assert found.settling.num_orders == len(found.tied)


def test_the_best_has_been_observed_and_what_missed_the_threshold_is_out() -> None:
    truth = -60 + 10.0 * PRECEDENCES[:, 0]
    observations = [Observation(int(i), float(truth[i]), 1.0) for i in np.flatnonzero(PRECEDENCES[:, 0] == 0)[:20]]
    retired = np.flatnonzero(PRECEDENCES[:, 0] == 1)[:10]
    eligible = EVERY.copy()
    eligible[retired] = False
    found = conclude(observations, eligible)
    assert found.best in {observation.workflow_id for observation in observations}
    assert order_name(found.best) in {order.workflow_order for order in found.tied}
    assert all(found.within_one[i] == 0 for i in retired)


def test_a_report_repeats_to_the_bit() -> None:
    observations = seen(ONE_PAIR, 1.0, num=20)
    assert conclude(observations) == conclude(observations[::-1])
    assert conclude(observations) != conclude(observations, seed=1)


def test_few_observations_are_said_to_be_few() -> None:
    assert conclude(seen(ONE_PAIR, 0.5, num=1)).too_little
    assert conclude(seen(ONE_PAIR, 0.5, num=MIN_OBSERVED - 1)).too_little
    assert not conclude(seen(ONE_PAIR, 0.5, num=MIN_OBSERVED)).too_little
    with pytest.raises(ValueError, match="nothing to fit"):
        conclude([])


# Pairs


def test_the_pair_that_decides_is_named_and_those_that_share_a_type_with_it_are_not() -> None:
    pairs = conclude(seen(ONE_PAIR, 0.5)).pairs
    assert len(pairs) == 10
    assert (pairs[0].first, pairs[0].second) == ("enterprise", "user")
    assert pairs[0].mean == pytest.approx(8, abs=0.4)
    assert pairs[0].matters
    assert max(pair.mean for pair in pairs[1:]) < 0.4
    assert sum(pair.matters for pair in pairs) <= 2  # of nine that are nothing, one in twenty is clear by chance


def test_effects_of_pairs_add_up() -> None:
    worth = np.array([3.0, 0, 0, -2.0, 0, 0, 5.0, 0, 0, -1.0])
    pairs = conclude(seen(-30 + PRECEDENCES @ worth, 0.05)).pairs
    found = {frozenset((pair.first, pair.second)): pair for pair in pairs}
    names = ("defender", "enterprise", "op_server", "op_host", "user")
    for (i, j), value in zip(PAIRS, worth, strict=True):
        effect = found[frozenset((names[i], names[j]))]
        assert effect.mean == pytest.approx(abs(value), abs=0.2)
        if value:
            assert (effect.first, effect.second) == ((names[i], names[j]) if value > 0 else (names[j], names[i]))
            assert effect.matters


def test_effects_are_numpys_least_squares() -> None:
    values = np.random.default_rng(0).normal(-30, 5, (200, NUM_WORKFLOWS))
    design = np.column_stack([np.ones(NUM_WORKFLOWS), PRECEDENCES])
    expected = np.linalg.lstsq(design, values.T)[0][1:]  # [10, 200]
    found = {frozenset((pair.first, pair.second)): pair for pair in _pair_effects(values)}
    for (i, j), effects in zip(PAIRS, expected, strict=True):
        pair = found[frozenset((HOST_TYPES[i], HOST_TYPES[j]))]
        assert pair.mean == pytest.approx(abs(effects.mean()), rel=1e-9, abs=1e-12)
        assert pair.std == pytest.approx(effects.std(), rel=1e-9)


# What would settle it


def test_the_episodes_that_settle_it_tell_a_point_from_none() -> None:
    """Simulated: the best of five, each a point better than the others, is told from all of them in 95 %."""
    std, num_orders = 12.0, 5
    num = math.ceil(episodes_to_settle(num_orders, std))
    rng = np.random.default_rng(0)
    truth = np.array([1.0, 0, 0, 0, 0])
    means = truth + rng.normal(0, std / math.sqrt(num), (20_000, num_orders))
    won = (means[:, :1] > means[:, 1:]).all(axis=1).mean()
    assert 0.95 <= won < 0.97  # Bonferroni is on the safe side, by little


def test_more_orders_take_more_episodes() -> None:
    assert episodes_to_settle(2, 10.0) == pytest.approx(2 * 1.6449**2 * 100, rel=1e-3)
    assert episodes_to_settle(60, 10.0) > 3 * episodes_to_settle(2, 10.0)
    assert episodes_to_settle(1, 10.0) == 0


def test_episodes_that_were_played_count() -> None:
    few, many = (conclude(seen(ONE_PAIR, 0.5, num_episodes=num)).settling for num in (200, 800))
    assert few.episode_std == pytest.approx(0.5 * math.sqrt(200))
    assert many.episode_std == pytest.approx(0.5 * math.sqrt(800))
    assert few.num_orders == 60
    expected = episodes_to_settle(60, 0.5 * math.sqrt(200))
    assert few.episodes_per_order == math.ceil(expected - 200)


def test_without_an_evaluation_the_episodes_are_not_known() -> None:
    settling = conclude(seen(ONE_PAIR, 0.5, num_episodes=0)).settling
    assert settling.episode_std is settling.episodes_per_order is None
