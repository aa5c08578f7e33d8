"""Episodes that are asked for, and the rows they are put into: where learning and collecting meet.

```
 learn                                            collect
 open(BatchPlan, rows) -------------------------> plays the plan's episodes, in whatever order
 await full.wait()  <-------- Filling <---------- put(row, record), as each of them arrives
 close(), if no longer wanted ------------------> drops those that are missing
```

Neither side imports the other; both import this.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """Episodes to be played with one version of one policy."""

    workflow_ids: tuple[int, ...]
    """Each episode's workflow, 0 to 119."""
    first_episode: int
    """Index of its first episode among the policy's own; of an evaluation's, among all evaluation episodes."""
    weight_version: int
    """Which version on the weight board all its episodes are played with."""
    evaluation: bool = False
    """Not learned from: played with seeds apart from those of training."""
    greedy: bool = False
    """Played without sampling: the likeliest action at each step."""

    @property
    def num_episodes(self) -> int:
        """Episodes in the batch; `B`."""
        return len(self.workflow_ids)


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


class Filling(Generic[RowsT]):
    """A batch from asking for its episodes to the last of them.

    Attributes:
        plan: Which episodes.
        rows: What they are put into; as many as the plan has episodes.
        batch_index: Unique in the run, counted from 0 over all that is asked for.
        full: Set once every row has been put.
        opened_s: When they were asked for, seconds of `time.monotonic`.
        full_s: When the last one was put; 0 until then.
    """

    def __init__(self, plan: BatchPlan, rows: RowsT, batch_index: int, drop: Callable[[], None]) -> None:
        """Begin with no episode.

        Args:
            plan: Which episodes.
            rows: What they are put into.
            batch_index: See above.
            drop: Stops the collecting side from playing what is missing, if it still does; may be called again.
        """
        self.plan = plan
        self.rows = rows
        self.batch_index = batch_index
        self.full = asyncio.Event()
        self.opened_s = time.monotonic()
        self.full_s = 0.0
        self._drop = drop

    def put(self, row: int, record: Mapping[str, npt.NDArray[Any]]) -> None:
        """Copy an episode into its row (the collecting side does); the last one makes the batch full, and closes it."""
        self.rows.put(row, record, self.plan.workflow_ids[row])
        if self.rows.full:
            self.full_s = time.monotonic()
            self.full.set()
            self.close()

    def close(self) -> None:
        """Ask for nothing more: no row is put from here on. May be repeated."""
        self._drop()
