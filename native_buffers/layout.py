"""One table of fields is the memory layout: names, shapes, dtypes and units once, sizes derived."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from native_buffers.errors import LayoutMismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
"""A field's view; its dtype and shape are those of its `Field`."""

SEAL_BYTES = 64
"""Room that `seal` takes at the head of a segment: a digest, padded to a cache line."""

_KINDS = "biufS"
"""Booleans, integers, floats, fixed bytes: the same in every process, as pointers to objects are not."""


@dataclass(frozen=True, slots=True)
class Field:
    """One named array."""

    name: str
    """A Python identifier."""
    shape: tuple[int, ...]
    """Empty for a scalar."""
    dtype: str
    """A NumPy name of booleans, integers, floats or fixed bytes: `int8`, `float32`, `S480`."""
    unit: str
    """What one element counts, for the reader; part of the digest, since another unit is another meaning."""
    poison: float | None = None
    """A value that no writer writes, NaN say, for debug runs to fill the field with; None leaves it alone."""


@dataclass(frozen=True)
class Layout:
    """Fields one after the other, each at a multiple of `alignment`.

    Raises:
        ValueError: Of two fields with one name, a name that is no identifier, a negative dimension, a dtype
            other than those of `Field.dtype`, a poison that the dtype can't hold, or an alignment that is no
            power of two or too small.
    """

    fields: tuple[Field, ...]
    alignment: int = 64
    """Bytes. 64, a cache line, suits arrays; 8 packs scalars."""

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError(f"two fields have one name: {', '.join(names)}")
        if self.alignment not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError(f"alignment must be a power of two up to 64, not {self.alignment}")
        for field in self.fields:
            self._validate(field)

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Where each field starts, in bytes."""
        return self._placement[0]

    @cached_property
    def size_bytes(self) -> int:
        """Of all fields, padded to a multiple of the alignment."""
        return self._placement[1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the table, in hex: processes with the same digest mean the same by the same bytes."""
        table = [asdict(field) | {"dtype": np.dtype(field.dtype).str} for field in self.fields]
        return hashlib.sha256(json.dumps([self.alignment, table]).encode()).hexdigest()

    def views(self, buffer: memoryview, offset: int = 0) -> dict[str, Array]:
        """Return each field as an array on the bytes of `buffer` from `offset`. Nothing is copied.

        Raises:
            TypeError: `buffer` is too small.
        """
        return {
            field.name: np.ndarray(field.shape, field.dtype, buffer, offset + self.offsets[field.name])
            for field in self.fields
        }

    def poison(self, views: Mapping[str, Array]) -> None:
        """Fill every field that has a poison with it."""
        for field in self.fields:
            if field.poison is not None:
                views[field.name][...] = field.poison

    def poisoned(self, views: Mapping[str, Array]) -> tuple[str, ...]:
        """Return the names of the fields in which poison is left."""
        return tuple(
            field.name
            for field in self.fields
            if field.poison is not None and _equal(views[field.name], field.poison).any()
        )

    @cached_property
    def _placement(self) -> tuple[dict[str, int], int]:
        offsets, end = {}, 0
        for field in self.fields:
            offsets[field.name] = end
            size_bytes = np.dtype(field.dtype).itemsize * math.prod(field.shape)
            end = round_up(end + size_bytes, self.alignment)
        return offsets, end

    def _validate(self, field: Field) -> None:
        if not field.name.isidentifier():
            raise ValueError(f"a field's name must be an identifier, not {field.name!r}")
        if any(length < 0 for length in field.shape):
            raise ValueError(f"field {field.name!r} has a negative dimension: {field.shape}")
        try:
            dtype = np.dtype(field.dtype)
        except TypeError as error:
            raise ValueError(f"field {field.name!r}: {error}") from None
        if dtype.kind not in _KINDS or dtype.itemsize == 0:
            raise ValueError(
                f"field {field.name!r}: {field.dtype} can't be shared; use numbers, booleans or `S<length>`"
            )
        if self.alignment < dtype.alignment:
            raise ValueError(
                f"field {field.name!r} needs an alignment of {dtype.alignment} bytes, not {self.alignment}"
            )
        if field.poison is not None and not _holds(dtype, field.poison):
            raise ValueError(f"field {field.name!r}: {field.dtype} can't hold the poison {field.poison}")


def round_up(num_bytes: int, alignment: int) -> int:
    """Return the smallest multiple of `alignment` that is not below `num_bytes`."""
    return -(-num_bytes // alignment) * alignment


def seal(buffer: memoryview, *parts: Layout | int) -> None:
    """Write the digest of layouts and counts to the head of a segment."""
    buffer[:32] = _digest(parts)


def verify_seal(buffer: memoryview, *parts: Layout | int) -> None:
    """Check that a segment was sealed with the same layouts and counts.

    Raises:
        LayoutMismatch: It was not.
    """
    expected, found = _digest(parts), bytes(buffer[:32])
    if expected != found:
        raise LayoutMismatch(expected.hex(), found.hex())


def _digest(parts: tuple[Layout | int, ...]) -> bytes:
    texts = [part.digest if isinstance(part, Layout) else str(part) for part in parts]
    return hashlib.sha256(" ".join(texts).encode()).digest()


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    if dtype.kind == "f":
        return True
    if dtype.kind not in "iu" or not float(value).is_integer():
        return False
    return int(np.iinfo(dtype).min) <= value <= int(np.iinfo(dtype).max)


def _equal(array: Array, value: float) -> Array:
    return np.isnan(array) if value != value else array == value  # NaN alone differs from itself
