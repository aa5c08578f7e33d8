from __future__ import annotations

import numpy as np

from pipeline.cage2.engine.state import GAME, new_games, new_lists
from pipeline.numerics.compiled import COMPILED


def test_games_and_lists_start_empty() -> None:
    games, lists = new_games(3), new_lists(3, 7)
    assert games.shape == (3,)
    assert games.dtype == GAME
    assert not games.tobytes().strip(b"\0")
    assert lists.shape == (3, 3, 13, 7)
    assert lists.dtype == np.int32
    assert not lists.any()


def test_fields_are_attributes_of_what_uncompiled_code_takes() -> None:
    assert COMPILED or new_games(1)[0].num_steps == 0


def test_fields_can_be_seen_over_all_games() -> None:
    games = new_games(4)
    assert games["condition"].shape == (4, 13)
    assert games["observation"].shape == (4, 52)
    assert games["words"].shape == (4, 624)


def test_fields_are_aligned() -> None:
    assert GAME.isalignedstruct
    assert GAME.itemsize % 8 == 0
