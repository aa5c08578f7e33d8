from __future__ import annotations

import numpy as np
import pytest

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.cage2.facts.orders import KENDALL, ORDERS
from pipeline.workflows.observations import Observation


def test_the_prototypes_rule_is_as_described() -> None:
    from parts.rules import prototype

    observations = [Observation(0, -1.0, 0.1), Observation(60, 1.0, 0.1), Observation(0, 5.0, 0.1)]
    scores, best = prototype(observations)
    assert best == 0  # 2 on average
    assert scores[0] == pytest.approx(-10 + 2 / (1 + 2 / 2) / (1 + 2))
    assert scores[60] == pytest.approx(10 + 2 / (1 + 1 / 2) / (1 + 1))
    weights = np.exp(-2 * KENDALL[7, [0, 60, 0]])
    expected = weights @ [-10, 10, 50] / weights.sum() + 2 * (10 * KENDALL[7, [0, 60]].min() + 1)
    assert scores[7] == pytest.approx(expected)


def test_random_choice_tries_no_order_twice() -> None:
    from parts.rules import next_orders

    rng, tried = np.random.default_rng(0), list[int]()
    for _ in range(NUM_WORKFLOWS):
        tried += next_orders("random", [Observation(i, 0.0, 0.1) for i in tried], rng)
    assert sorted(tried) == list(range(NUM_WORKFLOWS))


def test_several_at_a_time_are_the_first_alone_and_others_unlike_it() -> None:
    from parts.rules import best_order, next_orders

    assert len(set(next_orders("project-16", [], np.random.default_rng(0)))) == 16
    visits = [Observation(i, float(-i), 0.1) for i in (3, 50, 99)]
    orders = next_orders("project-4", visits, np.random.default_rng(1))
    assert len({3, 50, 99, *orders}) == 7
    assert orders[:1] == next_orders("project", visits, np.random.default_rng(1))
    assert best_order("project-4", visits) == best_order("project", visits) == 3


def test_a_plain_process_learns_what_its_kernel_can_say() -> None:
    from parts.rules import RULES

    truth = np.where(ORDERS[:, 0] == 2, 1.0, 0.0)
    tried = np.random.default_rng(0).permutation(NUM_WORKFLOWS)[:60].tolist()
    advice = RULES["position"]([Observation(i, float(truth[i]), 0.01) for i in tried])
    assert truth[advice.best] == 1
    assert advice.scores[truth == 1].mean() > advice.scores[truth == 0].mean() + 0.5
