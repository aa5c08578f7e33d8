from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.printable import MAX_SHOWN, printable, shown


@given(st.text(st.characters()))
def test_any_text_is_printable_and_says_the_same(text: str) -> None:
    told = printable(text)
    assert told.isprintable()
    if text.isprintable():
        assert told == text
    elif "\\" not in text:  # a backslash of its own isn't told apart from one that spells something out
        spelt = "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
        assert told == spelt


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("logs/tuesday", "logs/tuesday"),
        ("a\nb\x1b[2J\0", r"a\nb\x1b[2J\x00"),
        ("é\u200b\ud800", r"é\u200b\ud800"),
        (None, "None"),
        ({"number": 2}, "{'number': 2}"),
        ("N" * 60, "N" * 60),
        ("N" * 61, "N" * 57 + "..."),
        ("\n" * 31, r"\n" * 28 + "\\..."),
        ("9" * 100_000, "9" * 57 + "..."),
    ],
)
def test_a_wrong_value_is_repeated_in_short(value: object, told: str) -> None:
    assert shown(value) == told


@given(st.text(st.characters()))
def test_whatever_was_given_is_short(text: str) -> None:
    assert len(shown(text)) <= MAX_SHOWN
    assert shown(text).isprintable()
