"""The 120 workflows as arrays: how they are encoded and compared. Their ids and names are in `order_names`.

The tables are read-only. NumPy is all that this module needs, so that workers can import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.cage2.facts.order_names import (
    NUM_HOST_TYPES,
    NUM_PAIRS,
    NUM_WORKFLOWS,
    ORDER_SIZE,
    PAIRS,
    PERMUTATIONS,
    checked,
)

if TYPE_CHECKING:
    import numpy.typing as npt

ORDERS: Final[npt.NDArray[np.uint8]] = np.array(PERMUTATIONS, dtype=np.uint8)
"""`[120, 5]` uint8: the host types of each workflow, highest priority first."""

POSITIONS: Final[npt.NDArray[np.uint8]] = np.argsort(ORDERS, axis=1).astype(np.uint8)
"""`[120, 5]` uint8: the place of each host type in each workflow, 0 for the highest priority."""

PRECEDENCES: Final[npt.NDArray[np.uint8]] = np.stack(
    [POSITIONS[:, i] < POSITIONS[:, j] for i, j in PAIRS], axis=1
).astype(np.uint8)
"""`[120, 10]` uint8 in {0, 1}: whether the first type of each pair of `PAIRS` stands before the second."""

KENDALL: Final[npt.NDArray[np.float64]] = (
    np.count_nonzero(PRECEDENCES[:, None, :] != PRECEDENCES[None, :, :], axis=2) / NUM_PAIRS
)
"""`[120, 120]` float64 in 0..1: Kendall's tau distance, the discordant pairs divided by 10."""

ONE_HOTS: Final[npt.NDArray[np.float32]] = np.eye(NUM_HOST_TYPES, dtype=np.float32)[ORDERS].reshape(
    NUM_WORKFLOWS, ORDER_SIZE
)
"""`[120, 25]` float32 in {0, 1}, position-major: value `5 * p + t` is 1 if `t` stands at place `p`."""

for _table in (ORDERS, POSITIONS, PRECEDENCES, KENDALL, ONE_HOTS):
    _table.setflags(write=False)


def one_hot(workflow_id: int) -> npt.NDArray[np.float32]:
    """Return a workflow as a policy sees it.

    Args:
        workflow_id: 0 to 119.

    Returns:
        `[25]` float32, a read-only row of `ONE_HOTS`.

    Raises:
        IndexError: There is no such workflow.
    """
    row: npt.NDArray[np.float32] = ONE_HOTS[checked(workflow_id)]
    return row


def kendall_tau(first: int, second: int) -> float:
    """Return Kendall's tau distance of two workflows, 0 (the same) to 1 (reversed), in steps of 0.1.

    Args:
        first: 0 to 119.
        second: 0 to 119.

    Raises:
        IndexError: There is no such workflow.
    """
    return float(KENDALL[checked(first), checked(second)])
