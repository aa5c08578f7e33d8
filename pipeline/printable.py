"""Text from outside, as lines and messages repeat it: nothing in it breaks the line or commands a terminal."""

from __future__ import annotations

MAX_SHOWN = 60
"""Characters of a wrong value that a message repeats."""


def printable(text: str) -> str:
    """Return a text with its unprintable characters spelt out."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def shown(value: object) -> str:
    """Return a value as a message repeats it: printable, and cut to `MAX_SHOWN` characters."""
    text = printable(str(value)[: MAX_SHOWN + 1])
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
