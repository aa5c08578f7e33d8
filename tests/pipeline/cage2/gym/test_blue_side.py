"""Blue's side of games is the pipeline's own, game by game: the same bits as a `Memory` gives a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.blue.interface import DECOYS_OF_HOST, MERGED, NEXT_DECOY, Interface
from pipeline.cage2.blue.memory import Memory
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.game_batch import GameBatch
from pipeline.cage2.facts import spec
from pipeline.cage2.gym.blue_side import BlueSide
from pipeline.cage2.gym.shown import show

if TYPE_CHECKING:
    import numpy.typing as npt

INTERFACES = [Interface(True, "all"), Interface(False, "merged"), Interface(True, "merged")]
NUM_GAMES, NUM_STEPS = 3, 40


@pytest.mark.parametrize("interface", INTERFACES, ids=str)
def test_each_game_has_the_memory_of_a_worker(interface: Interface) -> None:
    rng = np.random.default_rng(0)
    batch, side = GameBatch(NUM_GAMES, "RedMeanderAgent"), BlueSide(NUM_GAMES, interface, NUM_STEPS)
    envs = [FastEnv("RedMeanderAgent") for _ in range(NUM_GAMES)]
    memories = [Memory(interface) for _ in range(NUM_GAMES)]
    rows = np.zeros((NUM_GAMES, interface.observation_size), dtype=np.int8)
    every = np.arange(NUM_GAMES)
    for episode in range(2):
        batch.reset([episode, 7, 8 + episode])
        side.begin(every, batch.observations)
        for game, (env, memory) in enumerate(zip(envs, memories, strict=True)):
            memory.begin(NUM_STEPS, env.reset([episode, 7, 8 + episode][game]), rows[game])
        for _ in range(NUM_STEPS):
            np.testing.assert_array_equal(side.observations, rows)
            choices = rng.integers(0, interface.num_actions, NUM_GAMES)
            batch.step(side.act(every, choices))
            side.see(every, batch.observations)
            for game, (env, memory) in enumerate(zip(envs, memories, strict=True)):
                memory.see(env.step(memory.act(int(choices[game])))[0], rows[game])


def test_games_that_are_not_named_are_left_alone() -> None:
    side = BlueSide(2, Interface(True, "merged"), NUM_STEPS)
    tables = np.zeros((2, spec.OBSERVATION_SIZE), dtype=np.int8)
    side.begin(np.arange(2), tables)
    before = side.observations[0].copy()
    second = np.array([1])
    actions = side.act(second, np.array([len(MERGED) - 1, len(MERGED) - 1]))
    assert actions.tolist() == [0, MERGED[-1]]
    tables[:] = 1
    side.see(second, tables)
    np.testing.assert_array_equal(side.observations[0], before)
    assert side.observations[1].any()


@pytest.mark.parametrize("interface", INTERFACES, ids=str)
def test_a_mask_is_what_can_be_placed_less_what_is_useless(interface: Interface) -> None:
    rng = np.random.default_rng(1)
    batch, side = GameBatch(1, "B_lineAgent"), BlueSide(1, interface, NUM_STEPS)
    memory, row = Memory(interface), np.zeros(interface.observation_size, dtype=np.int8)
    game = np.zeros(1, dtype=np.int64)
    batch.reset([3])
    side.begin(game, batch.observations)
    memory.begin(NUM_STEPS, batch.observations[0], row)
    seen = set()
    for _ in range(NUM_STEPS):
        placeable = show(batch.observations, batch.red_hosts, batch.games["listening"])[2]
        mask = side.masks(placeable)[0]
        np.testing.assert_array_equal(mask, expected_mask(interface, row, placeable[0]))
        seen.update(mask.tolist())
        choice = int(rng.choice(np.flatnonzero(mask)))
        batch.step(side.act(game, np.array([choice])))
        side.see(game, batch.observations)
        memory.act(choice)
        memory.see(batch.observations[0], row)
    assert seen == {0, 1}


def expected_mask(
    interface: Interface, row: npt.NDArray[np.int8], placeable: npt.NDArray[np.int8]
) -> npt.NDArray[np.int8]:
    if interface.actions == "all":
        return placeable
    mask = np.ones(len(MERGED), dtype=np.int8)
    for choice, action in enumerate(MERGED.tolist()):
        if action <= NEXT_DECOY:  # some decoy worth placing there can be
            host = NEXT_DECOY - action
            mask[choice] = any(placeable[spec.DECOY + spec.NUM_HOSTS * kind + host] for kind in DECOYS_OF_HOST[host])
        if interface.mask is not None:
            cause, spent = interface.mask.cause[choice], interface.mask.spent[choice]
            if (cause is not None and not row[cause]) or (spent is not None and row[spent]):
                mask[choice] = 0
    return mask
