from __future__ import annotations

import numpy as np
import pytest

from pipeline.cage2.engine.bounds import BOUNDS, find_fault, find_fault_of_lists, list_lengths
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.state import DECOYS, GAME


def test_every_field_has_bounds() -> None:
    assert GAME.names is not None
    assert set(BOUNDS) == {*GAME.names} - {"words", "used_ports"}


def test_both_bounds_are_within() -> None:
    batch = GameBatch(2, "B_lineAgent")
    batch.reset([1, 2])
    assert find_fault(batch.games) is None
    for name in ("red_hosts", "port_memory", "condition", "observation", "reward", "word_index", "num_events"):
        games = batch.games.copy()
        games[name][0], games[name][1] = BOUNDS[name]
        assert find_fault(games) is None
        games[name][0] -= 1
        assert find_fault(games) == f"no game has a {name} of {np.ravel(games[name][0])[0]}"


@pytest.mark.parametrize("entry", [0, 1 << 15, 9 | 8 << 16, -1])
def test_an_entry_is_a_process_and_its_kind(entry: int) -> None:
    batch = GameBatch(1, "B_lineAgent")
    batch.reset([1])
    assert list_lengths(batch.games).sum() == 1  # Red's foothold
    in_use = np.arange(batch.lists.shape[3]) < list_lengths(batch.games)[..., np.newaxis]
    assert find_fault_of_lists(batch.lists, in_use) is None
    in_use[0, DECOYS, 4, 0] = True
    batch.lists[0, DECOYS, 4, 0] = entry
    assert find_fault_of_lists(batch.lists, in_use) is not None
    batch.lists[0, DECOYS, 4, 0] = 9 | 7 << 16
    assert find_fault_of_lists(batch.lists, in_use) is None
