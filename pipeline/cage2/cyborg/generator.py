"""The generator of Python's `random`, which CybORG draws from, as it is lent to a game."""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def generator_kept() -> Iterator[None]:
    """Put the state of `random`'s generator back at the end."""
    kept = random.getstate()
    try:
        yield
    finally:
        random.setstate(kept)
