"""The 120 workflows by name: every priority order of the five host types. The standard library is all that it needs.

A workflow's id is the rank of its order among all orders, sorted as tuples of host-type ids. What arrays have to say of
them is in `orders`.
"""

from __future__ import annotations

import re
from itertools import combinations, permutations
from typing import Final

from pipeline.cage2.facts.spec import HOST_TYPES
from pipeline.errors import TravellingError

NUM_HOST_TYPES: Final = len(HOST_TYPES)
ORDER_SIZE: Final = NUM_HOST_TYPES**2
"""Values of a one-hot order."""
PAIRS: Final = tuple(combinations(range(NUM_HOST_TYPES), 2))
"""The pairs of host types `(i, j)`, `i < j`."""
NUM_PAIRS: Final = len(PAIRS)
PERMUTATIONS: Final = tuple(permutations(range(NUM_HOST_TYPES)))
"""The host types of each workflow, highest priority first."""
NUM_WORKFLOWS: Final = len(PERMUTATIONS)

_ARROW: Final = " -> "
_ID_OF_ORDER: Final = {order: workflow_id for workflow_id, order in enumerate(PERMUTATIONS)}


class UnknownOrderError(TravellingError, ValueError):
    """A text is no order of the five host types."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no workflow: write each of the {NUM_HOST_TYPES} host types once, "
            f"highest priority first, as in {_ARROW.join(HOST_TYPES)!r}"
        )


def order_name(workflow_id: int) -> str:
    """Return a workflow's order as text, `op_server -> defender -> enterprise -> op_host -> user` say.

    Args:
        workflow_id: 0 to 119.

    Raises:
        IndexError: There is no such workflow.
    """
    return _ARROW.join(HOST_TYPES[host_type] for host_type in PERMUTATIONS[checked(workflow_id)])


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


def checked(workflow_id: int) -> int:
    """Return an id that there is: -1 would be taken for the last one.

    Raises:
        IndexError: There is no such workflow.
    """
    if not 0 <= workflow_id < NUM_WORKFLOWS:
        raise IndexError(f"workflow {workflow_id} does not exist: ids run from 0 to {NUM_WORKFLOWS - 1}")
    return workflow_id
