"""A curve of a few characters, however long it is."""

from __future__ import annotations

from typing import Final

NUM_COLUMNS: Final = 24
"""At most, and from when it is full at least half as many."""
_LEVELS: Final = "▁▂▃▄▅▆▇█"


class Curve:
    """The means of 1, 2, 4, ... successive values, so that all of them fit into `NUM_COLUMNS`."""

    def __init__(self) -> None:
        self._means: list[float] = []
        self._size = 1
        """Values in each mean."""
        self._sum = 0.0
        self._num = 0
        """Values in `_sum`, which are fewer."""

    def add(self, value: float) -> None:
        """Add the next value."""
        self._sum += value
        self._num += 1
        if self._num == self._size:
            self._means.append(self._sum / self._size)
            self._sum, self._num = 0.0, 0
        if len(self._means) > NUM_COLUMNS:
            *pairs, last = self._means  # an odd number of them: the last is half of the next mean
            self._means = [(first + second) / 2 for first, second in zip(pairs[::2], pairs[1::2], strict=True)]
            self._sum, self._num = last * self._size, self._size
            self._size *= 2

    def __str__(self) -> str:
        """Draw the means, from the lowest to the highest; nothing before there are two."""
        if len(self._means) < 2:
            return ""
        low, high = min(self._means), max(self._means)
        top = len(_LEVELS) - 1
        heights = (round(top * (mean - low) / (high - low)) if high > low else 0 for mean in self._means)
        return f"{low:.1f} {''.join(_LEVELS[height] for height in heights)} {high:.1f}"
