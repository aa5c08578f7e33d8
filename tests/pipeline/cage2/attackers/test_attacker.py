from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.attackers.attacker import Asked, Generator
from pipeline.cage2.attackers.errors import AttackerError
from pipeline.cage2.attackers.knowledge import Deeds
from pipeline.cage2.engine.fast_env import FastEnv
from pipeline.cage2.engine.red_side import RedSide, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cage2.attackers.knowledge import Knowledge

DRAWS: list[Callable[[random.Random], Any]] = [
    lambda rng: rng.random(),
    lambda rng: [rng.getrandbits(bits) for bits in (0, 1, 5, 31, 32, 33, 64, 65, 100)],
    lambda rng: rng.choice("abcde"),
    lambda rng: rng.sample(range(100), 7),
    lambda rng: rng.choices("abc", [1, 5, 2], k=4),
    lambda rng: rng.randrange(10**30),
    lambda rng: rng.randbytes(11),
    lambda rng: rng.gauss(0, 1),
    lambda rng: rng.uniform(2, 3),
]


def test_it_draws_what_python_draws_from_the_games_words() -> None:
    drawn: list[Any] = []

    class Drawing:
        def __init__(self, generator: random.Random) -> None:
            drawn.append(generator)

    env = FastEnv("SleepAgent")
    env.reset(5)
    games = env.batch.games
    with pytest.raises(AttackerError, match="has no choose"):
        RedSide(games, 0, "test", Drawing, 5)
    generator, expected = drawn[0], random.Random()  # noqa: S311 - a game, no secret
    expected.setstate(env.batch.generator_state(0))
    for _ in range(200):
        for draw in DRAWS:
            assert draw(generator) == draw(expected)
        for rng in (generator, expected):
            rng.shuffle(order := list(range(13)))
            drawn.append(order)
        assert drawn[-1] == drawn[-2]
    assert env.batch.generator_state(0)[:2] == expected.getstate()[:2]


def test_it_is_the_games_to_seed() -> None:
    generator = Generator(random.Random(3).getrandbits)  # noqa: S311
    generator.seed(1)
    assert generator.random() == random.Random(3).random()  # noqa: S311
    with pytest.raises(NotImplementedError):
        generator.getstate()
    with pytest.raises(NotImplementedError):
        generator.setstate(random.getstate())
    with pytest.raises(ValueError, match="non-negative"):
        generator.getrandbits(-1)


def knowledge() -> Knowledge:
    env = FastEnv("SleepAgent")
    env.reset(0)
    return look(env.batch.games[0], Deeds())


class Failing:
    def __init__(self, _: random.Random) -> None: ...

    def choose(self, knowledge: Knowledge) -> Any:
        raise (SystemExit if knowledge.step > 1 else ZeroDivisionError)("far too much")


def test_what_it_raises_is_told_with_its_own_traceback_alone() -> None:
    asked = Asked("some:Name", Failing, random.Random(), 77)  # noqa: S311
    with pytest.raises(AttackerError) as told:
        asked.choose(knowledge())
    lines = str(told.value).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.rpartition(" in ")[2] for line in lines if line.startswith("  File")] == ["choose"]
    assert lines[-2:] == [
        "ZeroDivisionError: far too much",
        "raised by some:Name, in step 1 of the episode with environment seed 77",
    ]


def test_leaving_the_program_is_a_failure_like_others() -> None:
    later = copy.copy(knowledge())
    object.__setattr__(later, "step", 9)
    with pytest.raises(AttackerError, match=r"SystemExit: far too much\nraised by .* step 9 of an episode without"):
        Asked("some:Name", Failing, random.Random(), None).choose(later)  # noqa: S311


def test_one_that_cannot_be_made_is_told() -> None:
    def make(_: random.Random) -> object:
        raise LookupError("no weights")

    with pytest.raises(AttackerError, match="LookupError: no weights\nraised by some:Name, before the first step of"):
        Asked("some:Name", make, random.Random(), 3)  # noqa: S311


def test_nonsense_is_told() -> None:
    class Odd(Failing):
        def choose(self, _: Knowledge) -> Any:
            return "Impact", "User1"

    with pytest.raises(
        AttackerError, match="aimed Impact at 'User1', not at Op_Server0: a:B, in step 1 of the episode"
    ):
        Asked("a:B", Odd, random.Random(), 3).choose(knowledge())  # noqa: S311
