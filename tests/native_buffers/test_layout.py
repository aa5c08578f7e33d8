from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from native_buffers.errors import LayoutMismatch
from native_buffers.layout import SEAL_BYTES, Field, Layout, round_up, seal, verify_seal

DTYPES = ["bool", "int8", "uint8", "int16", "float32", "int64", "uint64", "float64", "S7"]


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    names = draw(st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), min_size=1, unique=True, max_size=8))
    shapes = st.lists(st.integers(0, 5), max_size=3).map(tuple)
    fields = [Field(name, draw(shapes), draw(st.sampled_from(DTYPES)), "1") for name in names if name.isidentifier()]
    return Layout(tuple(fields), draw(st.sampled_from([8, 16, 64])))


@given(layouts(), st.integers(0, 3))
def test_fields_are_aligned_apart_and_complete(layout: Layout, num_before: int) -> None:
    offset = num_before * layout.alignment
    raw = np.zeros(offset + layout.size_bytes, np.uint8)
    views = layout.views(memoryview(raw), offset)
    assert list(views) == [field.name for field in layout.fields]
    covered = np.zeros(raw.size, int)
    for field in layout.fields:
        view = views[field.name]
        assert (view.shape, view.dtype) == (field.shape, np.dtype(field.dtype))
        assert view.flags.c_contiguous
        start = offset + layout.offsets[field.name]
        assert start % layout.alignment == 0
        covered[start : start + view.nbytes] += 1
        raw[:] = 0
        if view.dtype.kind != "S":
            view[...] = 1
            assert raw[:start].sum() == 0
            assert raw[start + view.nbytes :].sum() == 0
            assert np.count_nonzero(raw) >= view.size
    assert covered.max(initial=0) <= 1
    assert layout.size_bytes % layout.alignment == 0
    assert layout.size_bytes < sum(view.nbytes + layout.alignment for view in views.values()) + 1


def test_views_share_the_bytes() -> None:
    layout = Layout((Field("a", (2, 3), "int16", "1"), Field("b", (), "float64", "s")), alignment=8)
    buffer = memoryview(bytearray(layout.size_bytes))
    one, other = layout.views(buffer), layout.views(buffer)
    one["a"][1, 2], one["b"][...] = -5, 1.5
    assert other["a"][1, 2] == -5
    assert other["b"] == 1.5
    assert other["b"].shape == ()


def test_a_buffer_too_small_is_refused() -> None:
    layout = Layout((Field("a", (9,), "int64", "1"),))
    with pytest.raises(TypeError, match="too small"):
        layout.views(memoryview(bytearray(71)))


A = Field("a", (2,), "int8", "1")


@pytest.mark.parametrize(
    ("fields", "alignment", "message"),
    [
        ((A, Field("a", (), "int64", "1")), 64, "two fields have one name"),
        ((Field("not a name", (), "int8", "1"),), 64, "identifier"),
        ((Field("a", (2, -1), "int8", "1"),), 64, "negative dimension"),
        ((Field("a", (), "no_dtype", "1"),), 64, "no_dtype"),
        ((Field("a", (), "O", "1"),), 64, "can't be shared"),
        ((Field("a", (), "object", "1"),), 64, "can't be shared"),
        ((Field("a", (), "U8", "1"),), 64, "can't be shared"),
        ((Field("a", (), "i4,f8", "1"),), 64, "can't be shared"),
        ((Field("a", (), "S", "1"),), 64, "can't be shared"),
        ((Field("a", (), "int64", "1"),), 4, "alignment of 8 bytes"),
        ((A,), 0, "power of two"),
        ((A,), 24, "power of two"),
        ((A,), 128, "power of two"),
        ((Field("a", (), "uint8", "1", -1),), 64, "can't hold the poison"),
        ((Field("a", (), "int8", "1", 128),), 64, "can't hold the poison"),
        ((Field("a", (), "int8", "1", 0.5),), 64, "can't hold the poison"),
        ((Field("a", (), "int8", "1", math.nan),), 64, "can't hold the poison"),
        ((Field("a", (), "int8", "1", math.inf),), 64, "can't hold the poison"),
        ((Field("a", (), "bool", "1", 1),), 64, "can't hold the poison"),
        ((Field("a", (), "S4", "1", 0),), 64, "can't hold the poison"),
    ],
)
def test_a_wrong_table_is_refused(fields: tuple[Field, ...], alignment: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Layout(fields, alignment)


@pytest.mark.parametrize(
    "other",
    [
        Layout((Field("b", (2,), "int8", "1"),)),
        Layout((Field("a", (3,), "int8", "1"),)),
        Layout((Field("a", (2,), "uint8", "1"),)),
        Layout((Field("a", (2,), "int8", "s"),)),
        Layout((Field("a", (2,), "int8", "1", -1),)),
        Layout((A,), 8),
        Layout((A, Field("b", (), "int8", "1"))),
    ],
)
def test_digest_tells_tables_apart(other: Layout) -> None:
    assert Layout((A,)).digest != other.digest


def test_digest_is_that_of_the_meaning() -> None:
    assert Layout((A,)).digest == Layout((Field("a", (2,), "i1", "1"),)).digest
    assert len(Layout((A,)).digest) == 64


def test_poison_is_found_until_all_is_written() -> None:
    layout = Layout(
        (
            Field("observation", (3, 2), "int8", "1", -1),
            Field("log_prob", (3,), "float32", "nat", math.nan),
            Field("bound", (), "float64", "1", -math.inf),
            Field("note", (), "S8", "text"),
        )
    )
    views = layout.views(memoryview(bytearray(layout.size_bytes)))
    assert layout.poisoned(views) == ()
    layout.poison(views)
    assert layout.poisoned(views) == ("observation", "log_prob", "bound")
    views["observation"][...] = 0
    views["bound"][...] = 0
    views["log_prob"][:2] = 0
    assert layout.poisoned(views) == ("log_prob",)
    views["log_prob"][2] = 0
    assert layout.poisoned(views) == ()


@given(st.integers(0, 10**12), st.sampled_from([1, 2, 8, 64, 4096]))
def test_round_up(num_bytes: int, alignment: int) -> None:
    rounded = round_up(num_bytes, alignment)
    assert rounded % alignment == 0
    assert num_bytes <= rounded < num_bytes + alignment


def test_seal() -> None:
    buffer = memoryview(bytearray(SEAL_BYTES))
    seal(buffer, Layout((A,)), 12)
    verify_seal(buffer, Layout((A,)), 12)
    for parts in [(Layout((A,)), 13), (Layout((A,)),), (Layout((A,), 8), 12)]:
        with pytest.raises(LayoutMismatch):
            verify_seal(buffer, *parts)
    with pytest.raises(LayoutMismatch):
        verify_seal(memoryview(b"short"), Layout((A,)), 12)
