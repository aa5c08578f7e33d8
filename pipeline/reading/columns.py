"""The numbers of a CSV file as columns that grow."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_FIRST_ROWS: Final = 1024
"""That there is room for from the start; the room doubles."""


class Columns:
    """Columns of numbers, `n` rows so far.

    A file of another version may lack some: they are NaN. Lines that are none of the file's are left out and counted.

    Args:
        names: Of the columns that are kept.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self.clear()

    def __len__(self) -> int:
        """Return `n`."""
        return self._num_rows

    def clear(self) -> None:
        """Forget all, the header as well."""
        self._values = np.empty((len(self._names), _FIRST_ROWS))
        self._num_rows = 0
        self._header: list[str] | None = None
        self.num_damaged = 0
        """Lines that were left out."""

    def extend(self, lines: Sequence[bytes]) -> None:
        """Take further lines of the file, its header first."""
        if self._header is None and lines:
            self._header = _fields(lines[0]) or []
            lines = lines[1:]
        if not lines:
            return
        try:
            self._append([line.split(b",") for line in lines])
        except ValueError:  # one or more are damaged, or have a comma in quotes: look at each
            for line in lines:
                fields = _fields(line)
                try:
                    self._append([fields or []])
                except ValueError:
                    self.num_damaged += 1

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """Return a column, `[n]` float64; a view that stays as it is, whatever is added."""
        return self._values[self._names.index(name), : self._num_rows]

    def _append(self, rows: Sequence[Sequence[bytes | str]]) -> None:
        """Append rows.

        Raises:
            ValueError: One is of another length than the header, or has no number where there should be one.
        """
        header = self._header or []
        texts = dict(zip(header, zip(*rows, strict=True), strict=True))
        added = np.full((len(self._names), len(rows)), np.nan)
        for index, name in enumerate(self._names):
            if name in texts:
                added[index] = list(map(float, texts[name]))
        end = self._num_rows + len(rows)
        if end > self._values.shape[1]:
            larger = np.empty((len(self._names), max(end, 2 * self._values.shape[1])))
            larger[:, : self._num_rows] = self._values[:, : self._num_rows]
            self._values = larger
        self._values[:, self._num_rows : end] = added
        self._num_rows = end


def _fields(line: bytes) -> list[str] | None:
    """Return the fields of a line; None if it is none of a CSV file."""
    try:
        return next(csv.reader([line.decode(errors="replace")], strict=True), None)
    except csv.Error:
        return None
