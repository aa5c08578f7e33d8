"""Which episode is played next: a pure state machine. It is told what happened and answers what to do; it does no I/O.

```
open(plan) ->  waiting  -> next_task() ->  in flight  -> filled() -> row of the batch, or nothing if cancelled
                  ^                            |
                  +--------- lost() -----------+    the same episode again, same seeds, same weights
```
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.types import BatchPlan

MAX_ATTEMPTS = 3
"""Times that one episode may take its worker down, or raise in it, before it is given up."""


class EpisodeGivenUpError(PipelineError):
    """An episode failed every time that it was played."""

    def __init__(self, assignment: Assignment, detail: str) -> None:
        plan = assignment.plan
        super().__init__(
            f"episode {plan.first_episode + assignment.row} of workflow {plan.workflow_id} failed "
            f"{assignment.attempt + 1} times: {detail}"
        )
        self.assignment = assignment


@dataclass(frozen=True, slots=True)
class Assignment:
    """One episode to play: a row of a plan, and how often it was lost before."""

    plan: BatchPlan
    row: int
    attempt: int = 0


class Scheduler:
    """Hands out the episodes of open plans in order, lost ones first."""

    def __init__(self, episodes_per_task: int) -> None:
        """Args: episodes_per_task: the most that one task may hold."""
        self._episodes_per_task = episodes_per_task
        self._open: dict[int, BatchPlan] = {}
        self._waiting: deque[Assignment] = deque()
        self._again: deque[Assignment] = deque()
        self._in_flight: set[tuple[int, int]] = set()

    @property
    def num_waiting(self) -> int:
        """Episodes that nobody plays yet."""
        return len(self._waiting) + len(self._again)

    @property
    def num_in_flight(self) -> int:
        """Episodes being played, those of cancelled plans included."""
        return len(self._in_flight)

    def open(self, plan: BatchPlan) -> None:
        """Add a plan's episodes behind those that wait already.

        Raises:
            ValueError: If a plan of that batch index is open.
        """
        if plan.batch_index in self._open:
            msg = f"batch {plan.batch_index} is open already"
            raise ValueError(msg)
        self._open[plan.batch_index] = plan
        self._waiting.extend(Assignment(plan, row) for row in range(plan.num_episodes))

    def close(self, batch_index: int) -> None:
        """Forget a plan whose batch is full or no longer wanted: drop what waits, and later what is in flight."""
        self._open.pop(batch_index, None)
        self._waiting = deque(a for a in self._waiting if a.plan.batch_index != batch_index)
        self._again = deque(a for a in self._again if a.plan.batch_index != batch_index)

    def next_task(self, max_episodes: int) -> tuple[Assignment, ...]:
        """Take the next task: up to `max_episodes` waiting episodes of one plan (so of one weight version), or none."""
        queue = self._again or self._waiting
        task: list[Assignment] = []
        limit = min(max_episodes, self._episodes_per_task)
        while queue and len(task) < limit and (not task or queue[0].plan is task[0].plan):
            task.append(queue.popleft())
        self._in_flight.update((a.plan.batch_index, a.row) for a in task)
        return tuple(task)

    def filled(self, assignment: Assignment) -> bool:
        """Note that an episode is complete. True if its batch wants it, False if the batch was closed meanwhile."""
        self._land(assignment)
        return assignment.plan.batch_index in self._open

    def lost(self, assignments: Iterable[tuple[Assignment, str | None]]) -> int:
        """Note that episodes were lost, and queue them again.

        Args:
            assignments: Each with what it is to blame for: that it raised, or that it was being played by a worker
                that died. None if it only shared the task or the pool of one that is.

        Returns:
            How many will be played again (those of closed plans won't).

        Raises:
            EpisodeGivenUpError: If one is to blame for the third time.
        """
        num_again = 0
        for assignment, blame in assignments:
            self._land(assignment)
            if assignment.plan.batch_index not in self._open:
                continue
            if blame is not None and assignment.attempt + 1 >= MAX_ATTEMPTS:
                raise EpisodeGivenUpError(assignment, blame)
            self._again.append(replace(assignment, attempt=assignment.attempt + (blame is not None)))
            num_again += 1
        return num_again

    def _land(self, assignment: Assignment) -> None:
        self._in_flight.remove((assignment.plan.batch_index, assignment.row))
