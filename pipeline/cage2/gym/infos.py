"""Infos of some games of a batch, in gymnasium's form: arrays over all games, and which of them count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Bools = npt.NDArray[np.bool_]


def masked(infos: dict[str, Any], mask: Bools) -> dict[str, Any]:
    """Return a copy of infos for some games, with zeros for the others, as gymnasium has it."""
    return {
        name: values & mask if name.startswith("_") else values * mask[:, np.newaxis] for name, values in infos.items()
    }


def objects(rows: Floats, mask: Bools) -> npt.NDArray[np.object_]:
    """Return an array of arrays, with None where there is none, as gymnasium has it."""
    listed = np.full(len(rows), None, dtype=object)
    for index in np.flatnonzero(mask):
        listed[index] = rows[index].copy()
    return listed
