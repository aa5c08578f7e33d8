"""Where two traces of one episode part."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.trace.trace import Trace


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that two traces tell otherwise."""

    place: str
    """Of it in both, as one writes it in Python: `steps[12].red.target`."""
    one: Any
    other: Any


def first_difference(one: Trace, other: Trace) -> Difference | None:
    """Return the first thing that two traces tell otherwise, None if there is nothing: not a bit of any number.

    Steps first, one after the other, since the rest follows from them.
    """
    return next(chain(_differences("steps", one.steps, other.steps), _differences("", one, other)), None)


def _differences(place: str, one: Any, other: Any) -> Iterator[Difference]:
    if is_dataclass(one) and type(one) is type(other):
        for field in fields(one):
            name = f"{place}.{field.name}" if place else field.name
            yield from _differences(name, getattr(one, field.name), getattr(other, field.name))
    elif isinstance(one, tuple) and isinstance(other, tuple) and any(map(is_dataclass, one)):
        for index, (left, right) in enumerate(zip_longest(one, other)):
            yield from _differences(f"{place}[{index}]", left, right)
    elif repr(one) != repr(other):  # which tells all bits of a float, and 0.0 from -0.0
        yield Difference(place, one, other)
