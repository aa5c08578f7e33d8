from __future__ import annotations

import random

import pytest

from pipeline.cage2.cyborg.generator import generator_kept


def draw_and_fail() -> None:
    with generator_kept():
        random.seed(3)
        raise ZeroDivisionError


def test_what_is_drawn_meanwhile_leaves_no_trace() -> None:
    before = random.getstate()
    with pytest.raises(ZeroDivisionError):
        draw_and_fail()
    assert random.getstate() == before
