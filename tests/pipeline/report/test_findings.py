from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.facts.order_names import PAIRS, order_name
from pipeline.cage2.facts.orders import PRECEDENCES
from pipeline.report.findings import Found, findings
from pipeline.types import Estimate, PairEffect, RunFinished, Score, Settling, TiedOrder

if TYPE_CHECKING:
    from collections.abc import Callable

ENTERPRISE_FIRST = np.flatnonzero(PRECEDENCES[:, PAIRS.index((1, 4))] == 1).tolist()
DECISIVE = PairEffect("enterprise", "user", 8.04, 0.31, matters=True)
NOTHING = PairEffect("defender", "op_host", 0.1, 0.3, matters=False)


@pytest.fixture
def tell(run_finished: RunFinished) -> Callable[..., list[str]]:
    """What is said of a run whose best order is the first of these."""

    def lines(tied: list[int], **changes: Any) -> list[str]:
        orders = tuple(
            TiedOrder(order_name(workflow_id), 0.9 - place / 1000, observed=place % 2 == 0)
            for place, workflow_id in enumerate(tied)
        )
        first = orders[0].workflow_order
        values = {"best_workflow": first, "posterior_best": first, "tied_with_best": orders, **changes}
        return list(findings(Found.of(replace(run_finished, **values))))

    return lines


def test_sixty_equals_are_a_number_and_a_rule(tell: Callable[..., list[str]]) -> None:
    settling = Settling(60, 14.0, 4201)
    lines = tell(ENTERPRISE_FIRST, pairs=(DECISIVE, NOTHING), settling=settling)
    first = order_name(ENTERPRISE_FIRST[0])
    assert lines[:2] == [
        f"best workflow: {first}",
        "   greedy: env reward -18.8 ± 0.9, compliance 0.98; sampled: -20.2 ± 1.0, 0.96 (200 fresh episodes)",
    ]
    assert "30 of 120 orders reached the compliance threshold in the search" in lines[2]
    assert lines[3].endswith(f"the best of them is believed to be {first}, at -20.5 ± 1.2")
    assert "59 others, 29 of them trained to the threshold; all have enterprise before user" in lines[4]
    assert lines[5:8] == [
        f"       90% likely  {order_name(ENTERPRISE_FIRST[1])} (not trained to it)",
        f"       90% likely  {order_name(ENTERPRISE_FIRST[2])}",
        f"       90% likely  {order_name(ENTERPRISE_FIRST[3])} (not trained to it)",
    ]
    assert "56 more" in lines[8]
    assert lines[9] == "   what matters: enterprise before user (+8.0 ± 0.3)"
    assert "4,201 more evaluation episodes for each, 252,060 in all" in lines[10]
    assert len(lines) == 11


def test_a_rule_that_not_all_keep_is_no_rule(tell: Callable[..., list[str]]) -> None:
    lines = tell([*ENTERPRISE_FIRST[:3], 119], pairs=(DECISIVE,))
    assert "3 others" in lines[4]
    assert "all have" not in lines[4]
    assert lines[7].endswith(f"{order_name(119)} (not trained to it)")


def test_a_winner_that_stands_alone(tell: Callable[..., list[str]]) -> None:
    lines = tell([5], pairs=(NOTHING,))
    assert lines[4:] == [
        "   no other order comes within a point of it, as far as can be told",
        "   what matters: no pair of host types, as far as can be told",
    ]


def test_of_too_few_nothing_is_concluded(tell: Callable[..., list[str]]) -> None:
    lines = tell(ENTERPRISE_FIRST, num_observed=2, too_few_observed=True, pairs=(DECISIVE,))
    assert lines[2:] == [
        "   2 of 120 orders reached the compliance threshold in the search: too few to say how the others compare"
    ]


def test_of_one_order_there_is_nothing_to_compare(tell: Callable[..., list[str]]) -> None:
    assert len(tell(ENTERPRISE_FIRST, num_observed=1, too_few_observed=True)) == 2


def test_a_score_without_greedy_episodes_is_the_sampled_one(tell: Callable[..., list[str]]) -> None:
    lines = tell(ENTERPRISE_FIRST, best_score=Score(20, Estimate(-20.0, 1.0), 0.96))
    assert lines[1] == "   env reward -20.0 ± 1.0, compliance 0.96 (20 fresh episodes)"


def test_without_an_evaluation_what_would_settle_it_is_not_known(tell: Callable[..., list[str]]) -> None:
    assert "is not known" in tell([5, 6], settling=Settling(2, None, None))[-1]
