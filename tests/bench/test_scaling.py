from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Measured, MistakeTold


def test_it_measures_what_is_asked_for(measured: Measured) -> None:
    rows = measured("scaling", "--seconds=0.5", "--visits=1,3", "--update-ms=20")["rows"]
    kinds = [row["kind"] for row in rows]
    assert kinds == ["real"] * kinds.count("real") + ["set", "set", "loop"]
    assert [row["concurrent_visits"] for row in rows if row["kind"] == "set"] == [1, 3]
    for row in rows:
        assert row["updates_per_s"] > 0
        assert row["loop_lag_ms_999"] > 0
        if row["kind"] == "set":
            ideal = row["concurrent_visits"] * 1000 / 20
            assert row["efficiency"] == pytest.approx(row["updates_per_s"] / ideal)
            assert row["updates_per_s"] < 1.5 * ideal  # one that was begun before counts, too


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--kinds=slow", "unknown kind slow: choose from real, set"),
        ("--visits=many", "--visits is numbers, as in 1,4,16,64"),
        ("--visits=0", "--visits are 1 to 120 each"),
        ("--seconds=0", "--seconds is above 0"),
    ],
)
def test_what_can_not_be_is_told(option: str, told: str, mistake_told: MistakeTold) -> None:
    (error,) = mistake_told("scaling", option)
    assert told in error
