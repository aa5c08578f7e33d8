# ruff: noqa: S311 - Python's generator is what the engine's is compared with
from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cage2.engine import mersenne
from pipeline.cage2.engine.state import new_games
from pipeline.numerics.compiled import int64, kernel

ODD_SEEDS = (0, 1, -1, 2**31, -(2**31), 2**32 - 1, 2**32, 2**63, -(2**63), 2**64 - 1, 2**64, 2**65 + 3, 3**2000)


@kernel
def seed(games: Any, key: Any) -> None:
    mersenne.seed_generator(games[0], key)


@kernel
def seed_64(games: Any, value: Any) -> None:
    mersenne.seed_generator_64(games[0], value)


@kernel
def draw(games: Any, kind: int, limit: int, num_bits: int) -> float:
    game = games[0]
    if kind == 0:
        return float(mersenne.next_word(game))
    if kind == 1:
        return float(mersenne.draw_below(game, limit, num_bits))
    if kind == 2:
        return mersenne.draw_uniform(game)
    if kind == 3:
        return float(mersenne.shuffle_hosts(game, mersenne.HOST_ORDER))
    mersenne.draw_only(game)
    return 0.0


def shuffled(rng: random.Random) -> int:
    hosts = list(range(13))
    rng.shuffle(hosts)
    return sum(host << (4 * place) for place, host in enumerate(hosts))


@pytest.mark.parametrize("value", ODD_SEEDS)
def test_seeding_is_that_of_cpython(value: int) -> None:
    games = new_games(1)
    seed(games, mersenne.seed_key(value))
    assert mersenne.get_state(games[0]) == random.Random(value).getstate()


@given(st.integers(0, 2**64 - 1))
def test_seeding_by_a_word_is_that_of_cpython(value: int) -> None:
    games = new_games(1)
    seed_64(games, np.uint64(value))
    assert mersenne.get_state(games[0]) == random.Random(value).getstate()


@settings(max_examples=50)
@given(value=st.integers(), kinds=st.lists(st.integers(0, 4), max_size=200), limit=st.integers(1, 2**31))
def test_draws_and_states_are_those_of_cpython(value: int, kinds: list[int], limit: int) -> None:
    rng = random.Random(value)
    games = new_games(1)
    seed(games, mersenne.seed_key(value))
    expected = (
        lambda: rng.getrandbits(32),
        lambda: rng.randrange(limit),
        rng.random,
        lambda: shuffled(rng),
        lambda: rng.choice([0]),
    )
    for kind in kinds:
        drawn = draw(games, kind, int64(limit), int64(limit.bit_length()))
        assert drawn == expected[kind]()
        assert mersenne.get_state(games[0]) == rng.getstate()


@pytest.mark.parametrize("value", ODD_SEEDS)
def test_many_words_are_those_of_cpython(value: int) -> None:
    rng = random.Random(value)
    games = new_games(1)
    seed(games, mersenne.seed_key(value))
    assert [draw(games, 0, 0, 0) for _ in range(2000)] == [rng.getrandbits(32) for _ in range(2000)]
    assert mersenne.get_state(games[0]) == rng.getstate()


def test_a_state_can_be_carried_over() -> None:
    rng = random.Random(5)
    rng.random()
    games = new_games(1)
    mersenne.set_state(games[0], rng.getstate())
    assert draw(games, 2, 0, 0) == rng.random()
    assert mersenne.get_state(games[0]) == rng.getstate()


def test_a_foreign_state_is_refused() -> None:
    games = new_games(1)
    with pytest.raises(ValueError, match="expected version 3 with 625"):
        mersenne.set_state(games[0], (2, (1, 2), None))


@pytest.mark.parametrize("index", [-1, 625, 2**40])
def test_a_state_that_points_beyond_its_words_is_refused(index: int) -> None:
    games = new_games(1)
    with pytest.raises(ValueError, match=f"{index} is no place among 624 words"):
        mersenne.set_state(games[0], (3, (*range(624), index), None))
    assert not games.tobytes().strip(b"\0")


def test_keys_of_many_seeds_are_those_of_each() -> None:
    keys, lengths = mersenne.seed_keys([*ODD_SEEDS, None])
    for key, length, value in zip(keys, lengths, ODD_SEEDS, strict=False):
        assert key[:length].tolist() == mersenne.seed_key(value).tolist()
    assert lengths[-1] == 0
    words = np.array([0, 2**32 - 1, 2**32, 2**64 - 1], dtype=np.uint64)
    for ours, theirs in zip(mersenne.seed_keys(words), mersenne.seed_keys(words.tolist()), strict=True):
        assert ours.tolist() == theirs.tolist()
