from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from pipeline.persist.toml import as_toml

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(
    scalars | st.lists(scalars, max_size=3), lambda inside: st.dictionaries(texts, inside, max_size=3), max_leaves=8
)


@given(st.dictionaries(texts, values, max_size=4))
def test_what_is_written_is_read_as_it_was(written: dict[str, object]) -> None:
    assert tomllib.loads(as_toml(written)) == written


def test_it_is_for_people() -> None:
    text = as_toml({"recipe": "default", "sizes": (64, 32), "ppo": {"gamma": 0.9}, "a": {"b.c": {}, "d": {"on": True}}})
    assert text == ('recipe = "default"\nsizes = [64, 32]\n\n[ppo]\ngamma = 0.9\n\n[a."b.c"]\n\n[a.d]\non = true\n')
