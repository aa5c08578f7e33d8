from __future__ import annotations

import pickle

from pipeline.evaluate.failure import BEGINNING, MAKING, DefenderFailedError, where
from tests.pipeline.evaluate.other_agents import GAME


def test_it_travels() -> None:
    error = DefenderFailedError("my.py:Agent", "in step 3", "ValueError")
    assert str(pickle.loads(pickle.dumps(error))) == "my.py:Agent failed in step 3:\nValueError"  # noqa: S301


def test_places_in_words() -> None:
    assert where(GAME, MAKING, 5) == "while it was made"
    assert where(GAME, BEGINNING, 5, 2).startswith("at the beginning of episode 2 (100 steps, counted from 0, against")
    assert where(GAME, 100, 5).startswith("at the end of an episode (")
    assert where(GAME, 99, 5).endswith("B_lineAgent; environment seed 5)")
