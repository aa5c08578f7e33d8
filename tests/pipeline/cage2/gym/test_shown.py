from __future__ import annotations

import numpy as np
import pytest

from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.engine.tables import PORTS
from pipeline.cage2.facts import spec
from pipeline.cage2.gym.shown import show


def worth_trying(action: int, listening: int) -> bool:
    """The rule of the mask, from the facts of the game."""
    if not spec.DECOY <= action < spec.RESTORE:
        return True
    place, host = divmod(action - spec.DECOY, spec.NUM_HOSTS)
    decoy = spec.DECOYS[place]
    is_taken = listening >> PORTS.index(decoy.free_port) & 1
    return decoy.os in (None, spec.HOSTS[host].image.os) and not is_taken


def test_games_in_the_middle_of_play() -> None:
    num_games = 20
    batch = GameBatch(num_games, "RedMeanderAgent")
    batch.reset(list(range(num_games)))
    rng = np.random.default_rng(0)
    num_masked = set()
    for _ in range(40):
        observations, held, masks = show(batch.observations, batch.red_hosts, batch.games["listening"])
        assert (observations.dtype, held.dtype, masks.dtype) == (np.float32, np.bool_, np.int8)
        np.testing.assert_array_equal(observations, batch.observations)
        for game in range(num_games):
            assert held[game].tolist() == [bool(batch.red_hosts[game] >> host & 1) for host in range(spec.NUM_HOSTS)]
            listening = batch.games["listening"][game].tolist()
            assert masks[game].tolist() == [
                worth_trying(action, listening[(action - 2) % spec.NUM_HOSTS]) for action in range(spec.NUM_ACTIONS)
            ]
        num_masked |= set((masks == 0).sum(axis=1).tolist())
        actions = rng.integers(spec.DECOY, spec.NUM_ACTIONS, num_games)
        batch.step(actions)
        failed = batch.games["blue_success"] == 0
        np.testing.assert_array_equal(masks[np.arange(num_games), actions], ~failed)
    assert len(num_masked) > 5


def test_arrays_are_the_caller_s_own() -> None:
    batch = GameBatch(1, "SleepAgent")
    batch.reset([0])
    first, second = (show(batch.observations, batch.red_hosts, batch.games["listening"]) for _ in range(2))
    assert not any(np.shares_memory(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("short", range(3))
def test_arrays_that_do_not_fit_together_are_refused(short: int) -> None:
    arrays = [np.zeros((2, 52), np.int8), np.zeros(2, np.int64), np.zeros((2, 13), np.int64)]
    arrays[short] = arrays[short][..., :-1]
    with pytest.raises(ValueError, match=r"red_hosts \[B\]"):
        show(*arrays)
