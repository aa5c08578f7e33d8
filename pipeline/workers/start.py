"""What a process builds at its start, or why it could not.

A process must not end because it can't build: the pool would break and hide the reason. It keeps the reason, and tells
it to whoever gives it something to do.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_Built = TypeVar("_Built")


@dataclass(frozen=True, slots=True)
class StartFailure:
    """Stands in for what could not be built."""

    reason: str
    """A traceback."""


NOT_INITIALIZED = StartFailure("the worker was not initialized")


def build_or_keep_why(build: Callable[[], _Built]) -> _Built | StartFailure:
    """Return what `build` makes, or why it raised."""
    try:
        return build()
    except Exception:  # noqa: BLE001  # told by whoever wanted it
        return StartFailure(traceback.format_exc())
