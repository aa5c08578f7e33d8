from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from pipeline.cage2.cyborg.env import CyborgEnv
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.facts.spec import NUM_ACTIONS
from pipeline.contest.generator import OnRandom, random_kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.contest.generator import Game


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    with random_kept():
        yield


def played(game: Game) -> list[object]:
    """Return what comes of games between whose steps somebody else draws in all ways, or doesn't."""
    random.seed(3)
    shared, noted = OnRandom(game), list[object]()
    for is_new in (True, False):
        noted.append(random.gauss(0, 1))  # and one variate is kept back for the next time
        noted.append(shared.reset(is_new=is_new).tolist())
        for step in range(20):
            if step % 3 == 1:
                random.shuffle(list(range(step)))
            action = random.randrange(NUM_ACTIONS) if step % 2 else 0  # noqa: S311
            observation, reward = shared.step(action)
            noted += [observation.tolist(), reward, random.getstate()]
    return noted


def test_the_engine_shares_a_generator_as_cyborg_does() -> None:
    assert played(FastEnv("RedMeanderAgent")) == played(CyborgEnv("RedMeanderAgent"))


def test_the_generator_is_where_the_game_has_left_it() -> None:
    game = FastEnv("B_lineAgent")
    random.seed(5)
    shared = OnRandom(game)
    shared.reset()
    assert random.getstate() == game.generator
    shared.step(NUM_ACTIONS - 1)
    assert random.getstate() == game.generator


def test_a_game_that_is_seeded_seeds_the_generator() -> None:
    shared, alone = OnRandom(FastEnv("B_lineAgent")), FastEnv("B_lineAgent")
    random.gauss(0, 1)
    shared.reset(11)
    alone.reset(11)
    assert random.getstate() == alone.generator


def test_the_generator_is_put_back_whatever_happens() -> None:
    before = random.getstate()
    with pytest.raises(IndexError), random_kept():
        random.choice([random.random()][1:])  # noqa: S311
    assert random.getstate() == before
