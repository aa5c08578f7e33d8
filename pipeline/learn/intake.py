"""What the learning side asks for and what has come: plans out, episodes in, row by row.

```
open(orders, weights) -> BatchPlan -> collecting side -> take(plan, row, record) -> Rows, full
```
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pipeline.types import BatchPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from native_buffers.weights import WeightBoard


class Requests(Protocol):
    """Where episodes are asked for: the collecting side, as the learning side sees it."""

    def open(self, plan: BatchPlan) -> None:
        """Ask for the episodes of a plan."""
        ...

    def close(self, batch_index: int) -> None:
        """Stop asking for them."""
        ...


class Rows(Protocol):
    """What keeps of each episode what it is collected for."""

    @property
    def full(self) -> bool:
        """Whether every row has been put."""
        ...

    @property
    def num_filled(self) -> int:
        """Rows that have been put."""
        ...

    def put(self, row: int, record: Mapping[str, npt.NDArray[Any]], workflow_id: int) -> None:
        """Copy what is wanted of an episode; its slot may be freed afterwards."""
        ...


RowsT = TypeVar("RowsT", bound=Rows)


@dataclass(slots=True)
class Filling(Generic[RowsT]):
    """Episodes that were asked for, and where they go."""

    plan: BatchPlan
    rows: RowsT
    full: asyncio.Event = field(default_factory=asyncio.Event)
    opened_s: float = field(default_factory=time.monotonic)
    full_s: float = 0.0


class Intake:
    """All that is being filled, over the whole run."""

    def __init__(self, board: WeightBoard, requests: Requests) -> None:
        """Args: board: where weights are published. requests: where episodes are asked for."""
        self._board = board
        self._requests = requests
        self._open: dict[int, Filling[Any]] = {}
        self._next_batch_index = 0

    def publish(self, weights: npt.NDArray[np.float32]) -> int:
        """Publish an actor, flat float32, and return its version."""
        return self._board.publish(weights)

    def open(
        self,
        rows: RowsT,
        workflow_ids: Sequence[int],
        *,
        first_episode: int,
        weight_version: int,
        evaluation: bool = False,
        greedy: bool = False,
    ) -> Filling[RowsT]:
        """Ask for episodes.

        Args:
            rows: Where they go; as many as there are `workflow_ids`.
            workflow_ids: Each episode's workflow, 0 to 119.
            first_episode: Index of the first one; see `types.BatchPlan`, as are the rest.
            weight_version: From `publish`.
            evaluation: Not learned from.
            greedy: Played without sampling.
        """
        plan = BatchPlan(
            batch_index=self._next_batch_index,
            workflow_ids=tuple(workflow_ids),
            first_episode=first_episode,
            weight_version=weight_version,
            evaluation=evaluation,
            greedy=greedy,
        )
        self._next_batch_index += 1
        filling = Filling(plan, rows)
        self._open[plan.batch_index] = filling
        self._requests.open(plan)
        return filling

    def take(self, plan: BatchPlan, row: int, record: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copy an episode into its row (the collecting side calls this)."""
        filling = self._open[plan.batch_index]
        filling.rows.put(row, record, plan.workflow_ids[row])
        if filling.rows.full:
            filling.full_s = time.monotonic()
            filling.full.set()
            self._requests.close(plan.batch_index)

    def forget(self, filling: Filling[Any]) -> None:
        """Be done with what was asked for; what is missing is not waited for any more."""
        self._requests.close(filling.plan.batch_index)
        del self._open[filling.plan.batch_index]

    def filling(self) -> tuple[int, int, int] | None:
        """Return `(batch_index, num_filled, num_episodes)` of the oldest training batch that is filling, or None."""
        for index, filling in self._open.items():
            if not (filling.rows.full or filling.plan.evaluation):
                return index, filling.rows.num_filled, filling.plan.num_episodes
        return None
