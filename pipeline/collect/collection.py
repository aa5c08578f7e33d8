"""The collecting side of the loop: leases slots, submits their indices, and puts what comes back into rows.

```
open(BatchPlan, rows) -> Filling <------------------------- put(row, record), unless it was closed meanwhile
           |                                                                         |
           v                                                                         |
       Scheduler -(assignments)-> lease, header -> collector.play(slots) -> FILLED --+-> FREE
           ^                                                |
           +-------------- lost, to be played again --------+
```
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from native_buffers.slots import SlotState
from pipeline import seeding
from pipeline.collect.deadline import Deadline
from pipeline.collect.scheduler import Assignment, Scheduler
from pipeline.errors import PipelineError
from pipeline.filling import Filling
from pipeline.play.player import read_failure
from pipeline.play.record import UNTOLD
from pipeline.workers.processes import WorkersDiedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from native_buffers.ring import EpisodeRing
    from pipeline.collect.collector import Collector
    from pipeline.filling import BatchPlan, RowsT

WATCH_INTERVAL_S = 1.0
"""Between two looks for workers that hang."""
MAX_FRUITLESS_REBUILDS = 5
"""Times that all workers may die in a row, without an episode in between, before that counts as hopeless."""


class WorkersKeepDyingError(PipelineError):
    """Every new set of workers died before it finished an episode."""

    def __init__(self) -> None:
        super().__init__(
            f"workers died {MAX_FRUITLESS_REBUILDS} times in a row before they finished an episode. Are they killed "
            "for memory? Look at the kernel's log (dmesg), or try fewer --workers."
        )


@dataclass(frozen=True, slots=True)
class CollectionStatistics:
    """What the collection has done so far."""

    num_collected: int
    """Episodes put into their rows."""
    num_discarded: int
    """Episodes played ahead for a workflow whose visit then ended; no result depends on them."""
    num_lost: int
    """Episodes that had to be played again."""
    num_in_flight: int
    num_waiting: int
    busy_s: float
    """Worker seconds spent in the episodes collected."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A batch that is not full yet, and the seeds of its episodes by row."""

    filling: Filling[Any]
    environment_seeds: list[int]
    actions_seeds: list[int]


class Collection:
    """Drives a collector until it is cancelled."""

    def __init__(
        self,
        ring: EpisodeRing,
        collector: Collector,
        *,
        run_seed: int,
        episodes_per_task: int,
        on_episode: Callable[[], None],
        on_lost: Callable[[int], None],
    ) -> None:
        """Prepare to collect.

        Args:
            ring: Where episodes are written; this side leases and frees its slots.
            collector: Who plays.
            run_seed: The run's seed.
            episodes_per_task: The most that one task may hold.
            on_episode: Called for each episode that was put into its row.
            on_lost: Called with the number of episodes to be played again after workers died.
        """
        self._ring = ring
        self._collector = collector
        self._run_seed = run_seed
        self._on_episode = on_episode
        self._on_lost = on_lost
        self._scheduler = Scheduler(episodes_per_task)
        self._open: dict[int, _Open] = {}
        """By batch index, in the order in which they were asked for."""
        self._tasks: dict[tuple[int, ...], float] = {}
        """Tasks in flight by their slots, each with when it was submitted."""
        self._deadline = Deadline()
        self._landed_s = 0.0
        self._hung: dict[tuple[int, ...], str] = {}
        self._fruitless: set[int] = set()
        self._work = asyncio.Event()
        self._num_collected = self._num_discarded = self._num_lost = 0
        self._busy_s = 0.0

    def open(self, plan: BatchPlan, rows: RowsT) -> Filling[RowsT]:
        """Ask for the episodes of a plan, after those that were asked for before.

        Args:
            plan: Which episodes.
            rows: What they are put into; empty, with a row for each.

        Returns:
            The batch that they fill. It is full once all are there; close it if they are no longer wanted.
        """
        environment, actions = seeding.episode_seeds(
            self._run_seed,
            plan.workflow_ids,
            range(plan.first_episode, plan.first_episode + plan.num_episodes),
            seeding.Purpose.EVALUATION if plan.evaluation else seeding.Purpose.TRAINING,
        )
        batch_index = self._scheduler.open(plan)
        filling = Filling(plan, rows, batch_index, partial(self._close, batch_index))
        self._open[batch_index] = _Open(filling, environment.tolist(), actions.tolist())
        self._work.set()
        return filling

    def filling(self) -> tuple[int, int, int] | None:
        """Return `(batch_index, num_filled, num_episodes)` of the oldest training batch that is filling, or None."""
        for batch_index, batch in self._open.items():
            if not batch.filling.plan.evaluation:
                return batch_index, batch.filling.rows.num_filled, batch.filling.plan.num_episodes
        return None

    def statistics(self) -> CollectionStatistics:
        """Return what was done so far."""
        return CollectionStatistics(
            self._num_collected,
            self._num_discarded,
            self._num_lost,
            self._scheduler.num_in_flight,
            self._scheduler.num_waiting,
            self._busy_s,
        )

    async def run(self) -> None:
        """Collect until cancelled.

        Raises:
            EpisodeGivenUpError: If an episode keeps failing.
            WorkersKeepDyingError: If no worker lives long enough to finish an episode.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            while True:
                await self._work.wait()
                self._work.clear()
                while len(self._tasks) < self._collector.max_tasks:
                    leased = self._lease()
                    if not leased:
                        break
                    self._tasks[tuple(slot for slot, _ in leased)] = time.monotonic()
                    tasks.create_task(self._play(leased))
                    await asyncio.sleep(0)  # a submission may start a process, which takes milliseconds

    def _close(self, batch_index: int) -> None:
        self._scheduler.close(batch_index)
        self._open.pop(batch_index, None)

    def _lease(self) -> list[tuple[int, Assignment]]:
        return [
            (self._lease_one(assignment), assignment) for assignment in self._scheduler.next_task(self._ring.num_free)
        ]

    def _lease_one(self, assignment: Assignment) -> int:
        slot = self._ring.lease()
        assert slot is not None, "as many assignments were asked for as slots are free"  # noqa: S101
        plan, row, batch = assignment.plan, assignment.row, self._open[assignment.batch_index]
        header = self._ring.header(slot)
        header["workflow_id"][...] = plan.workflow_ids[row]
        header["weight_version"][...] = plan.weight_version
        header["environment_seed"][...] = batch.environment_seeds[row]
        header["actions_seed"][...] = batch.actions_seeds[row]
        header["greedy"][...] = plan.greedy
        header["worker_pid"][...] = 0
        header["started_s"][...] = header["finished_s"][...] = 0.0
        header["failed"][...] = 0
        return slot

    async def _play(self, leased: list[tuple[int, Assignment]]) -> None:
        died: WorkersDiedError | None = None
        slots = tuple(slot for slot, _ in leased)
        try:
            await self._collector.play(slots)
        except WorkersDiedError as error:
            died = error
        del self._tasks[slots]
        self._landed_s = time.monotonic()
        hung = self._hung.pop(slots, None)
        lost: list[tuple[Assignment, str | None]] = []
        for slot, assignment in leased:
            if self._ring.state(slot) == SlotState.FILLED:
                self._put(slot, assignment)
                continue
            lost.append((assignment, self._blame(slot, died, hung)))
            self._ring.lose(slot)
            self._ring.free(slot)
        if lost:
            self._note_loss(lost, died)
        self._work.set()

    def _put(self, slot: int, assignment: Assignment) -> None:
        """Copy a filled slot into its row, if its batch is still wanted, and free the slot."""
        self._ring.consume(slot)
        if self._scheduler.filled(assignment):
            header = self._ring.header(slot)
            self._busy_s += float(header["busy_s"])
            self._deadline.note(float(header["finished_s"]) - float(header["started_s"]))
            self._open[assignment.batch_index].filling.put(assignment.row, self._ring.record(slot))
            self._num_collected += 1
            self._on_episode()
        else:
            self._num_discarded += 1
        self._fruitless.clear()
        self._ring.free(slot)

    def _blame(self, slot: int, died: WorkersDiedError | None, hung: str | None) -> str | None:
        """Return what a lost slot's episode did, or None if it is not to blame."""
        header = self._ring.header(slot)
        pid = int(header["worker_pid"])
        reason = read_failure(header)
        if reason is None and died is None:
            reason = "it was given back without a word"
        # an episode behind the one that killed the worker was not started, and is not to blame
        elif reason is None and died is not None and died.casualties and pid in {*died.casualties, UNTOLD}:
            reason = hung or "its worker process died"
        if reason is None:
            return None
        return f"{reason} (environment seed {header['environment_seed']}, actions seed {header['actions_seed']})"

    def _note_loss(self, lost: list[tuple[Assignment, str | None]], died: WorkersDiedError | None) -> None:
        if died is not None:
            self._fruitless.add(died.generation)
            if len(self._fruitless) >= MAX_FRUITLESS_REBUILDS:
                raise WorkersKeepDyingError
        num_again = self._scheduler.lost(lost)
        self._num_lost += num_again
        if num_again:
            self._on_lost(num_again)

    async def _watch(self) -> None:
        """Have workers killed that hang; what they played is then lost, and played again."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            for slots, submitted_s, limit_s in self._overdue(time.monotonic()):
                if self._tasks.get(slots) != submitted_s:
                    continue  # it ended while another one was seen to
                self._tasks[slots] = time.monotonic()  # as long again for the kill to show
                self._hung[slots] = f"it did not end within {limit_s:.0f} s, and its worker was killed"
                if not await self._collector.kill(slots):
                    self._hung.pop(slots, None)

    def _overdue(self, now_s: float) -> list[tuple[tuple[int, ...], float, float]]:
        """Return the tasks that hang, each with when it was submitted and the time that it had."""
        overdue = []
        for slots, submitted_s in self._tasks.items():
            headers = [self._ring.header(slot) for slot in slots]
            pids = {int(header["worker_pid"]) for header in headers}
            # who is not told of its start must allow for the task, and for another one that it may have waited for
            limit_s = self._deadline.limit_s(2 * len(slots) if UNTOLD in pids else 1)
            since_s = max(submitted_s, *(max(h["started_s"], h["finished_s"]).item() for h in headers))
            if pids == {0}:  # nobody has begun: that is no wonder while others end
                since_s = max(since_s, self._landed_s)
            if now_s - since_s > limit_s:
                overdue.append((slots, submitted_s, limit_s))
        return overdue
