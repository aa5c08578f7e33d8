"""What several workers write, in the order in which one would have written it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class InOrder:
    """Hands on texts by their places, from 0, as soon as none is missing before them.

    Args:
        write: What they are handed to.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._next = 0
        self._waiting: dict[int, str] = {}

    def put(self, place: int, text: str) -> None:
        """Take the text of a place; there is one for each."""
        self._waiting[place] = text
        while self._next in self._waiting:
            self._write(self._waiting.pop(self._next))
            self._next += 1
