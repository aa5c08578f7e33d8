"""Which episode is played next: a pure state machine. It is told what happened and answers what to do; it does no I/O.

```
open(plan) ->  waiting  -> next_task() ->  in flight  -> filled() -> row of the batch, or nothing if closed
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

    from pipeline.filling import BatchPlan

MAX_ATTEMPTS = 3
"""Times that one episode may take its worker down, or raise in it, before it is given up.

The last time it is played with nothing else in flight, so that there is no doubt about which episode it was.
"""


class EpisodeGivenUpError(PipelineError):
    """An episode failed every time that it was played."""

    def __init__(self, assignment: Assignment, detail: str) -> None:
        plan = assignment.plan
        super().__init__(
            f"episode {plan.first_episode + assignment.row} of workflow {plan.workflow_ids[assignment.row]} failed "
            f"{assignment.attempt + 1} times: {detail}. To look into it, play in this process: --collector sequential"
        )
        self.assignment = assignment


@dataclass(frozen=True, slots=True)
class Assignment:
    """One episode to play: a row of a batch, and how often it was lost before."""

    batch_index: int
    plan: BatchPlan
    row: int
    attempt: int = 0


class Scheduler:
    """Hands out the episodes of open plans in order, lost ones first."""

    def __init__(self, episodes_per_task: int) -> None:
        """Args: episodes_per_task: the most that one task may hold."""
        self._episodes_per_task = episodes_per_task
        self._fresh: dict[int, tuple[BatchPlan, int]] = {}
        """Open plans in order, by batch index, each with its next row that was never handed out."""
        self._num_opened = 0
        self._again: deque[Assignment] = deque()
        self._in_flight: set[tuple[int, int]] = set()
        self._is_alone = False
        """Whether what is in flight is one episode's last chance."""

    @property
    def num_waiting(self) -> int:
        """Episodes that nobody plays yet."""
        return sum(plan.num_episodes - row for plan, row in self._fresh.values()) + len(self._again)

    @property
    def num_in_flight(self) -> int:
        """Episodes being played, those of closed batches included."""
        return len(self._in_flight)

    def open(self, plan: BatchPlan) -> int:
        """Add a plan's episodes behind those that wait already; return the index of its batch, counted from 0."""
        batch_index = self._num_opened
        self._num_opened += 1
        self._fresh[batch_index] = plan, 0
        return batch_index

    def close(self, batch_index: int) -> None:
        """Forget a batch that is full or no longer wanted: drop what waits, and later what is in flight."""
        self._fresh.pop(batch_index, None)
        self._again = deque(a for a in self._again if a.batch_index != batch_index)

    def next_task(self, max_episodes: int) -> tuple[Assignment, ...]:
        """Take the next task: up to `max_episodes` waiting episodes of one batch (so of one weight version), or none.

        There is none while an episode has its last chance, nor before it until all others have landed.
        """
        if self._is_alone or max_episodes < 1:
            return ()
        limit = min(max_episodes, self._episodes_per_task)
        task = self._take_lost(limit) if self._again else self._take_fresh(limit)
        self._in_flight.update((a.batch_index, a.row) for a in task)
        return task

    def filled(self, assignment: Assignment) -> bool:
        """Note that an episode is complete. True if its batch wants it, False if the batch was closed meanwhile."""
        self._land(assignment)
        return assignment.batch_index in self._fresh

    def lost(self, assignments: Iterable[tuple[Assignment, str | None]]) -> int:
        """Note that episodes were lost, and queue them again.

        Args:
            assignments: Each with what it is to blame for: that it raised, or that it was being played by a worker
                that died. None if it only shared the task or the pool of one that is.

        Returns:
            How many will be played again (those of closed batches won't).

        Raises:
            EpisodeGivenUpError: If one is to blame for the third time.
        """
        num_again = 0
        for assignment, blame in assignments:
            self._land(assignment)
            if assignment.batch_index not in self._fresh:
                continue
            if blame is not None and assignment.attempt + 1 >= MAX_ATTEMPTS:
                raise EpisodeGivenUpError(assignment, blame)
            self._again.append(replace(assignment, attempt=assignment.attempt + (blame is not None)))
            num_again += 1
        return num_again

    def _take_lost(self, limit: int) -> tuple[Assignment, ...]:
        if _is_last_chance(self._again[0]):
            if self._in_flight:
                return ()
            self._is_alone = True
            return (self._again.popleft(),)
        again, batch_index = self._again, self._again[0].batch_index
        task: list[Assignment] = []
        while again and len(task) < limit and again[0].batch_index == batch_index and not _is_last_chance(again[0]):
            task.append(again.popleft())
        return tuple(task)

    def _take_fresh(self, limit: int) -> tuple[Assignment, ...]:
        for batch_index, (plan, row) in self._fresh.items():
            if row < plan.num_episodes:
                end = min(row + limit, plan.num_episodes)
                self._fresh[batch_index] = plan, end
                return tuple(Assignment(batch_index, plan, each) for each in range(row, end))
        return ()

    def _land(self, assignment: Assignment) -> None:
        self._in_flight.remove((assignment.batch_index, assignment.row))
        self._is_alone = False


def _is_last_chance(assignment: Assignment) -> bool:
    return assignment.attempt == MAX_ATTEMPTS - 1
