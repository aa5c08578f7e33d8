from __future__ import annotations

import pytest

from pipeline.evaluate.scenario import PROTOCOL
from pipeline.report.published import SCORES, Score


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_means_add_up_to_the_total_unless_the_source_has_it_otherwise(score: Score) -> None:
    assert len(score.means) == len(PROTOCOL)
    assert score.note or sum(score.means) == pytest.approx(score.total, abs=0.05)  # each of nine is rounded
