"""What a process builds at its start, or why it could not.

A process must not end because it can't build: the pool would break and hide the reason. It keeps the reason, and tells
it to whoever gives it something to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pipeline.cage2.attackers.errors import told

if TYPE_CHECKING:
    from collections.abc import Callable

_Built = TypeVar("_Built")


@dataclass(frozen=True, slots=True)
class StartFailure:
    """Stands in for what could not be built."""

    reason: str
    """A traceback, or the message of an attacker of one's own."""


NOT_INITIALIZED = StartFailure("the worker was not initialized")


def build_or_keep_why(build: Callable[[], _Built]) -> _Built | StartFailure:
    """Return what `build` makes, or why it raised."""
    try:
        return build()
    except Exception as error:  # noqa: BLE001  # told by whoever wanted it
        return StartFailure(told(error))
