from __future__ import annotations

from math import fsum

import pytest

from pipeline.evaluate.scenario import PROTOCOL
from pipeline.report.published import SCORES, Score


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_totals_are_those_of_the_nine_means(score: Score) -> None:
    """But for rounding, and for one that its source adds up otherwise, which is noted."""
    assert len(score.means) == len(PROTOCOL)
    if score.note is None or "add up to" not in score.note:
        assert score.total == pytest.approx(fsum(score.means), abs=0.011)


def test_the_contests_baselines_are_those_that_are_played_here() -> None:
    totals = {score.name.rpartition(": ")[2]: score.total for score in SCORES if score.rank}
    assert totals["Blue React Restore"] == -823.89  # as in docs/evaluation.md, which plays them
    assert totals["Random Agent"] == -2015.61
    assert totals["Sleeping Agent"] == -3112.20
