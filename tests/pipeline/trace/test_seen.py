from __future__ import annotations

import numpy as np
import pytest

from pipeline.cage2.blue.interface import FIRST_BIT, MEMORY_SIZE
from pipeline.cage2.facts import spec
from pipeline.trace.seen import MEMORY_NAMES, as_bits, in_words
from pipeline.trace.trace import Seen

SIZE = spec.OBSERVATION_SIZE + MEMORY_SIZE


def bits(*ones: int, size: int = SIZE) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    row = np.zeros(size, np.int8)
    row[list(ones)] = 1
    return row


def test_every_bit_of_the_memory_has_a_name_of_its_own() -> None:
    assert len(MEMORY_NAMES) == MEMORY_SIZE == len(set(MEMORY_NAMES))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("scanned", "scanned Enterprise0"),
        ("last_active", "last_active Enterprise0"),
        ("was_exploit", "was_exploit"),
        ("unanswered", "unanswered Enterprise0"),
        ("suspects", "suspects Enterprise0"),
        ("faked", "faked DecoyHarakaSMPT Enterprise0"),
        ("faked_first", "faked_first DecoyHarakaSMPT Enterprise0"),
        ("time", "time 1/10"),
    ],
)
def test_each_kind_begins_where_the_policy_sees_it(kind: str, name: str) -> None:
    seen = in_words(bits(FIRST_BIT[kind]))
    assert (seen.table, seen.memory) == ({}, (name,))


def test_the_table_is_told_in_its_own_words() -> None:
    first = spec.BITS_PER_HOST * spec.HOST_NAMES.index("User2")
    assert in_words(bits(first)).table == {"User2": ("Scan", "No")}
    assert in_words(bits(first, first + 1, first + 3)).table == {"User2": ("Exploit", "User")}
    assert in_words(bits(first + 2)).table == {"User2": ("None", "Unknown")}
    assert in_words(bits(first + 2, first + 3)).table == {"User2": ("None", "Privileged")}
    assert in_words(bits()).table == {}


def test_without_a_memory_nothing_is_remembered() -> None:
    seen = in_words(bits(0, size=spec.OBSERVATION_SIZE))
    assert (seen.table, seen.memory) == ({"Defender": ("Scan", "No")}, ())


@pytest.mark.parametrize("size", [spec.OBSERVATION_SIZE, SIZE])
def test_words_say_all_that_the_bits_do(size: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        row = (rng.random(size) < 0.3).astype(np.int8)
        activity = row[: spec.OBSERVATION_SIZE].reshape(-1, spec.BITS_PER_HOST)
        activity[:, 1] &= activity[:, 0]  # there is no exploit that is no activity
        np.testing.assert_array_equal(as_bits(in_words(row), size), row)


@pytest.mark.parametrize(
    "seen",
    [
        Seen({"Nowhere": ("Scan", "No")}, ()),
        Seen({"User1": ("Exploit", "Clean")}, ()),
        Seen({}, ("suspects Nowhere",)),
        Seen({}, ("suspects User1",)),
    ],
)
def test_words_that_no_bits_say(seen: Seen) -> None:
    with pytest.raises(ValueError, match="not what Blue sees by 52 bits"):
        as_bits(seen, spec.OBSERVATION_SIZE)
