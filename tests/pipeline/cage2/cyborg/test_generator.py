from __future__ import annotations

import random

import pytest

from pipeline.cage2.cyborg.generator import generator_kept


def test_what_is_drawn_meanwhile_leaves_no_trace() -> None:
    before = random.getstate()
    with pytest.raises(ZeroDivisionError), generator_kept():
        random.seed(3)
        random.random()  # noqa: S311
        1 / 0  # noqa: B018
    assert random.getstate() == before
