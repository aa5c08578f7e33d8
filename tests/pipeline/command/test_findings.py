from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.cage2.facts.orders import PAIRS, PRECEDENCES, order_name
from pipeline.command.findings import findings
from pipeline.types import PairEffect, RunFinished, Settling, TiedOrder

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
        values = {"best_workflow": orders[0].workflow_order, "tied_with_best": orders, **changes}
        return list(findings(replace(run_finished, **values)))

    return lines


def test_sixty_equals_are_a_number_and_a_rule(tell: Callable[..., list[str]]) -> None:
    settling = Settling(60, 14.0, 0.02, 4201, needs_trainings=False)
    lines = tell(ENTERPRISE_FIRST, pairs=(DECISIVE, NOTHING), settling=settling)
    assert lines[0] == f"best workflow: {order_name(ENTERPRISE_FIRST[0])}, env reward -20.2 ± 1.0"
    assert "30 of 120 orders reached the compliance threshold in training" in lines[1]
    assert "59 others, 29 of them trained to the threshold; all have enterprise before user" in lines[2]
    assert lines[3:6] == [
        f"       90%  {order_name(ENTERPRISE_FIRST[1])} (not trained to it)",
        f"       90%  {order_name(ENTERPRISE_FIRST[2])}",
        f"       90%  {order_name(ENTERPRISE_FIRST[3])} (not trained to it)",
    ]
    assert "56 more" in lines[6]
    assert lines[7] == "   what matters: enterprise before user (+8.0 ± 0.3)"
    assert "4,201 more evaluation episodes for each, 252,060 in all" in lines[8]
    assert len(lines) == 9


def test_a_rule_that_not_all_keep_is_no_rule(tell: Callable[..., list[str]]) -> None:
    lines = tell([*ENTERPRISE_FIRST[:3], 119], pairs=(DECISIVE,))
    assert "3 others" in lines[2]
    assert "all have" not in lines[2]
    assert lines[5].endswith(f"{order_name(119)} (not trained to it)")


def test_a_winner_that_stands_alone(tell: Callable[..., list[str]]) -> None:
    lines = tell([5], pairs=(NOTHING,))
    assert lines[2:] == [
        "   no other order comes within a point of it, as far as can be told",
        "   what matters: no pair of host types, as far as can be told",
    ]


def test_of_too_few_nothing_is_concluded(tell: Callable[..., list[str]]) -> None:
    lines = tell(ENTERPRISE_FIRST, num_observed=2, too_few_observed=True, pairs=(DECISIVE,))
    assert lines[1:] == [
        "   2 of 120 orders reached the compliance threshold in training: too few to say how the others compare"
    ]


@pytest.mark.parametrize(
    ("settling", "said"),
    [
        (Settling(2, 14.0, 2.31, None, needs_trainings=True), "two trainings of one order differ by 2.3 points"),
        (Settling(2, None, 0.1, None, needs_trainings=False), "is not known"),
    ],
)
def test_what_episodes_can_not_settle(tell: Callable[..., list[str]], settling: Settling, said: str) -> None:
    assert said in tell([5, 6], settling=settling)[-1]
