from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS


def test_landscapes_have_one_scale_and_are_drawn_by_their_seed() -> None:
    from parts.landscapes import LANDSCAPES, draw

    for name in LANDSCAPES:
        values = draw(name, 3)
        assert values.shape == (NUM_WORKFLOWS,)
        assert values.mean() == pytest.approx(0, abs=1e-12)
        assert values.std() == pytest.approx(1)
        assert np.array_equal(values, draw(name, 3))
    assert np.count_nonzero(draw("tied", 3) == draw("tied", 3).max()) == 60
    assert len(np.unique(draw("three types", 3).round(9))) == 6
    assert not np.array_equal(draw("rugged", 3), draw("rugged", 4))


def test_noises_have_the_variance_that_they_claim() -> None:
    from parts.landscapes import NOISES

    for name, (_, drawn) in NOISES.items():
        values = np.array([drawn(np.random.default_rng(seed)) for seed in range(20_000)])
        assert abs(values.mean()) < 5 / math.sqrt(20_000), name
        assert values.std() == pytest.approx(1, abs=0.1), name  # Student's t has a wild fourth moment
