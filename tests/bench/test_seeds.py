from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bench.conftest import Measured


def test_intervals_hold_the_truth_mostly_and_the_hopeless_are_stopped(measured: Measured) -> None:
    made = measured("seeds", "--samples", "20")
    assert made["coverage"]["normal"].keys() == {"5", "7", "10", "20"}
    assert all(share > 0.6 for by_num in made["coverage"].values() for share in by_num.values())
    best, others = made["stopped"]["4"]["3.0"]
    assert best == 0
    assert others > 0.5
