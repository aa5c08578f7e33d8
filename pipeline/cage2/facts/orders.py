"""The 120 workflows: every priority order of the five host types, how they are named, encoded and compared.

A workflow's id is the rank of its order among all orders, sorted as tuples of host-type ids. The tables are
read-only. NumPy is all that this module needs, so that workers can import it.
"""

from __future__ import annotations

import re
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.cage2.facts.spec import HOST_TYPES
from pipeline.errors import TravellingError

if TYPE_CHECKING:
    import numpy.typing as npt

NUM_HOST_TYPES: Final = len(HOST_TYPES)
ORDER_SIZE: Final = NUM_HOST_TYPES**2
"""Values of a one-hot order."""
PAIRS: Final = tuple(combinations(range(NUM_HOST_TYPES), 2))
"""The pairs of host types `(i, j)`, `i < j`, in the order of the columns of `PRECEDENCES`."""
NUM_PAIRS: Final = len(PAIRS)

_ARROW: Final = " -> "


class UnknownOrderError(TravellingError, ValueError):
    """A text is no order of the five host types."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no workflow: write each of the {NUM_HOST_TYPES} host types once, "
            f"highest priority first, as in {_ARROW.join(HOST_TYPES)!r}"
        )


ORDERS: Final[npt.NDArray[np.uint8]] = np.array(list(permutations(range(NUM_HOST_TYPES))), dtype=np.uint8)
"""`[120, 5]` uint8: the host types of each workflow, highest priority first."""

NUM_WORKFLOWS: Final = len(ORDERS)

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

_ID_OF_ORDER: Final = {tuple(order): workflow_id for workflow_id, order in enumerate(ORDERS.tolist())}

for _table in (ORDERS, POSITIONS, PRECEDENCES, KENDALL, ONE_HOTS):
    _table.setflags(write=False)


def order_name(workflow_id: int) -> str:
    """Return a workflow's order as text, `op_server -> defender -> enterprise -> op_host -> user` say.

    Args:
        workflow_id: 0 to 119.

    Raises:
        IndexError: There is no such workflow.
    """
    return _ARROW.join(HOST_TYPES[host_type] for host_type in ORDERS[_checked(workflow_id)])


def parse_order(text: str) -> int:
    """Return the id of the workflow that `text` names; the inverse of `order_name`.

    Args:
        text: The five host types, highest priority first, with `->`, `>`, commas or spaces between them.

    Raises:
        UnknownOrderError: A type is missing, repeated or unknown.
    """
    names = re.split(r"\s*(?:->|[>,])\s*|\s+", text.strip())
    if sorted(names) != sorted(HOST_TYPES):
        raise UnknownOrderError(text)
    return _ID_OF_ORDER[tuple(HOST_TYPES.index(name) for name in names)]


def one_hot(workflow_id: int) -> npt.NDArray[np.float32]:
    """Return a workflow as a policy sees it.

    Args:
        workflow_id: 0 to 119.

    Returns:
        `[25]` float32, a read-only row of `ONE_HOTS`.

    Raises:
        IndexError: There is no such workflow.
    """
    row: npt.NDArray[np.float32] = ONE_HOTS[_checked(workflow_id)]
    return row


def kendall_tau(first: int, second: int) -> float:
    """Return Kendall's tau distance of two workflows, 0 (the same) to 1 (reversed), in steps of 0.1.

    Args:
        first: 0 to 119.
        second: 0 to 119.

    Raises:
        IndexError: There is no such workflow.
    """
    return float(KENDALL[_checked(first), _checked(second)])


def _checked(workflow_id: int) -> int:
    # NumPy would take -1 for the last row.
    if not 0 <= workflow_id < NUM_WORKFLOWS:
        raise IndexError(f"workflow {workflow_id} does not exist: ids run from 0 to {NUM_WORKFLOWS - 1}")
    return workflow_id
