"""The loop of a run: the search picks workflows, they are trained, the search hears of them, over and over.

```
            place 0   place 1   place 2          each trains one policy after the other (`place`)
tick 1      update    update    update           taken note of in this order, whatever was there first
tick 2      update    ends      update           what ended is heard of by the search, which picks for the free places
tick 3      update    update    ends
```

Time is counted in ticks: one update in each place where there is a visit. A visit is computed ahead of them, by its own
episodes alone; a pick sees the visits that ended up to its tick. So a run is a function of its configuration, whatever
the threads and the workers do. All state that its results depend on is in here, between two ticks in a form that a
checkpoint can hold.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from pipeline.learn.visit import Visit
from pipeline.persist.checkpoint import Checkpoint, SavedPolicy, SavedVisit
from pipeline.policy.params import policy_name
from pipeline.types import WorkflowFinished, WorkflowStarted
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor
    from typing import TypeVar

    import numpy as np
    import numpy.typing as npt

    from pipeline.config import Config
    from pipeline.policy.store import PolicyStore
    from pipeline.run.curriculum import Curriculum, VisitVerdict
    from pipeline.run.place import Place, Step
    from pipeline.types import Event, RunEnd, Score
    from pipeline.workflows.report import SearchReport
    from pipeline.workflows.status import Belief

    _T = TypeVar("_T")

NUM_PROMISING: Final = 5
"""Orders that statistics name."""


@dataclass(frozen=True, slots=True)
class TrainingStatistics:
    """How far a run's training has come."""

    total_episodes: int
    """Learned from up to the last update, those before a resume included."""
    total_updates: int
    finals_episodes: int
    """Of these, in finals."""
    search_s: float
    """Spent in the search, in this process."""
    promising: tuple[Belief, ...]
    """The `NUM_PROMISING` orders that are believed to be worth most, the best first; see `Search.promising`."""


class Training:
    """A run's state, and the coroutine that advances it."""

    def __init__(
        self,
        config: Config,
        search: Search,
        curriculum: Curriculum,
        store: PolicyStore,
        places: Sequence[Place],
        *,
        search_thread: Executor,
        emit: Callable[[Event], None],
        log_sizes: Callable[[], dict[str, int]],
        write_checkpoint: Callable[[Checkpoint], Awaitable[None]],
    ) -> None:
        """Prepare a run from its beginning; `resume` takes up one that was begun.

        Args:
            config: The run's configuration.
            search: What was tried so far: nothing, or what the checkpoint says that `resume` takes up.
            curriculum: Decides what is trained, by the same search.
            store: The run's policies.
            places: `config.num_places`.
            search_thread: A single thread on which the Gaussian process is fitted.
            emit: Told of everything that happens.
            log_sizes: Returns the bytes of each log that belong to the state so far.
            write_checkpoint: Awaited after each tick with the state.
        """
        self._config = config
        self._search = search
        self._curriculum = curriculum
        self._store = store
        self._places = places
        self._search_thread = search_thread
        self._emit = emit
        self._log_sizes = log_sizes
        self._write_checkpoint = write_checkpoint
        self._saved: dict[int, SavedPolicy] = {}
        self._total_episodes = self._total_updates = 0
        self.stop_requested = False
        """Set it to end the run after the tick in progress."""
        self._search_s = 0.0
        self._promising: tuple[Belief, ...] = ()
        self._search_state = search.state()
        """As it is now: it changes when visits begin and end alone."""
        self.state = self._snapshot()
        """The run as it was after its last tick: what a checkpoint holds. Replaced, never changed."""

    def resume(self, checkpoint: Checkpoint) -> None:
        """Take up the rest of a checkpoint's state, whose search was given from the start.

        Raises:
            ValueError: It has visits in progress, and another number of places.
        """
        # with a larger budget there may be more places than before, but then no visit is in progress
        for place, saved in zip(self._places, checkpoint.visits, strict=any(checkpoint.visits)):
            if saved is not None:
                place.visit = Visit.from_json(saved.visit)
                place.behavior_weights = tuple(weights.numpy() for weights in saved.behavior_weights)
        self._total_episodes = checkpoint.total_episodes
        self._total_updates = checkpoint.total_updates
        for policy in checkpoint.policies:
            self._store.load(policy.workflow_id, policy.tensors, policy.num_updates, policy.num_episodes)
            self._saved[policy.workflow_id] = policy
        self.state = checkpoint

    async def run(self) -> RunEnd:
        """Train until the budget is used, no workflow is left, or a stop is requested.

        Returns:
            `budget`, `exhausted` or `stopped`.
        """
        async with asyncio.TaskGroup() as tasks:
            try:
                return await self._tick_by_tick(tasks)
            finally:
                for place in self._places:
                    place.leave()

    @property
    def is_evaluating(self) -> bool:
        """Whether a place is busy with an evaluation, which may take minutes: `resume` makes it anew."""
        return any(place.is_evaluating for place in self._places)

    def statistics(self) -> TrainingStatistics:
        """Return how far the training has come."""
        return TrainingStatistics(
            total_episodes=self.state.total_episodes,
            total_updates=self.state.total_updates,
            finals_episodes=self._finals_episodes(),
            search_s=self._search_s,
            promising=self._promising,
        )

    def digest(self) -> str:
        """Return the SHA-256 over all policies' weights and the search's observations."""
        observations = json.dumps(self.state.search["observations"], sort_keys=True)
        digest = hashlib.sha256(observations.encode())
        for policy in self.state.policies:
            digest.update(policy.workflow_id.to_bytes(8, "little"))
            for network in ("actor", "critic"):
                digest.update(policy.tensors[network].numpy().tobytes())
        return digest.hexdigest()

    async def found(self) -> tuple[SearchReport | None, tuple[int, Score] | None]:
        """Return what the search found, by `state`.

        Returns:
            What may be concluded, or None if nothing was observed; and the workflow whose policy is named the best,
            with its latest evaluation, or None if there is none.
        """
        search = Search.from_state(self.state.search)  # the run's own may be ahead of it, if it was cut short
        under_way = [saved.visit["workflow_id"] for saved in self.state.visits if saved]
        return await self._on_search_thread(search.report), await self._on_search_thread(search.best, under_way)

    async def _tick_by_tick(self, tasks: asyncio.TaskGroup) -> RunEnd:
        await self._look()  # also for the curriculum to have the posterior at once
        for place in self._places:
            if place.visit is not None:
                self._let_in(tasks, place, place.visit, place.behavior_weights)
        any_free = True  # since nothing else changes what is next, it is asked for when a visit has ended
        while True:
            under_way = [place for place in self._places if place.visit]
            if not under_way and self._config.total_episodes <= self._total_episodes:
                return "budget"
            if self.stop_requested:
                return "stopped"
            if any_free:
                await self._begin_visits(tasks)
                under_way = [place for place in self._places if place.visit]
            if not under_way:
                return "exhausted"
            steps = [await place.next() for place in under_way]
            noted = [step for step in steps if step]
            if len(noted) < len(steps):
                return "stopped"
            await self._note(noted)
            any_free = any(step.ending for step in noted)

    async def _begin_visits(self, tasks: asyncio.TaskGroup) -> None:
        """Let visits begin in the free places, one after the other."""
        free = [place for place in self._places if place.visit is None]
        remaining = self._config.total_episodes - self._total_episodes
        for num_before, place in enumerate(free):
            visits = [place.visit for place in self._places if place.visit]
            visit = await self._on_search_thread(
                self._curriculum.begin, self._store, remaining, visits, len(free) - num_before
            )
            if visit is None:
                break
            policy = self._store.get_or_create(visit.workflow_id, warm_start=False)
            self._let_in(tasks, place, visit, [policy.network.actor_weights()])
            self._emit(
                WorkflowStarted(
                    iteration=visit.iteration,
                    workflow_id=visit.workflow_id,
                    workflow_order=policy_name(visit.workflow_id),
                    ucb_score=visit.ucb_score,
                    resumed_policy=visit.first_update > 0,
                    part=visit.part,
                )
            )
        self._search_state = self._search.state()  # finals may be held from here on

    def _let_in(
        self, tasks: asyncio.TaskGroup, place: Place, visit: Visit, weights: Sequence[npt.NDArray[np.float32]]
    ) -> None:
        policy = self._store.get_or_create(visit.workflow_id, warm_start=False)
        behavior_weights = deque(weights, maxlen=self._config.policy_lag + 1)
        place.begin(tasks, visit, policy, behavior_weights, lambda: self.stop_requested)

    async def _note(self, steps: Sequence[Step]) -> None:
        """Take note of a tick: one update in each place, and what has ended with it."""
        verdicts = [
            self._curriculum.finish(step.visit, step.ending.outcome, step.ending.scores) if step.ending else None
            for step in steps
        ]
        best = None
        if any(verdicts):
            in_training = [place.visit.workflow_id for place in self._places if place.visit]
            best = await self._on_search_thread(self._search.best, in_training)
            await self._look()
            self._search_state = self._search.state()
        for step, verdict in zip(steps, verdicts, strict=True):
            self._total_updates += 1
            self._total_episodes += step.update.batch.num_episodes
            self._emit(step.update.result(self._total_episodes))
            if verdict is not None:
                self._tell_the_end(step.visit, verdict, best)
            self._saved[step.policy.workflow_id] = step.policy
        self.state = self._snapshot()
        await self._write_checkpoint(self.state)

    def _tell_the_end(self, visit: Visit, verdict: VisitVerdict, best: tuple[int, Score] | None) -> None:
        if verdict.orders_evaluated:
            self._emit(verdict.orders_evaluated)
        self._emit(
            WorkflowFinished(
                iteration=visit.iteration,
                workflow_order=policy_name(visit.workflow_id),
                ucb_score=visit.ucb_score,
                part=visit.part,
                result=verdict.result,
                gp_updated=verdict.gp_updated,
                best_workflow=policy_name(best[0]) if best else None,
                best_score=best[1] if best else None,
            )
        )

    def _finals_episodes(self) -> int:
        """Return what is left of all episodes without those of the search, which alone counts its own."""
        state = self.state
        if state.search["finals"] is None:
            return 0
        visits = [saved.visit for saved in state.visits if saved]
        under_way = sum(visit["num_episodes"] for visit in visits if visit["part"] == "search")
        in_search: int = sum(state.search["num_episodes"]) + under_way
        return state.total_episodes - in_search

    async def _look(self) -> None:
        """Note what the search believes, after all that it has heard."""
        self._promising = await self._on_search_thread(self._search.promising, NUM_PROMISING)

    async def _on_search_thread(self, call: Callable[..., _T], *arguments: object) -> _T:
        started_s = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._search_thread, call, *arguments)
        finally:
            self._search_s += time.monotonic() - started_s

    def _snapshot(self) -> Checkpoint:
        return Checkpoint(
            search=self._search_state,
            visits=tuple(
                SavedVisit(place.visit.to_json(), tuple(map(torch.from_numpy, place.behavior_weights)))
                if place.visit
                else None
                for place in self._places
            ),
            policies=tuple(self._saved[workflow_id] for workflow_id in sorted(self._saved)),
            total_episodes=self._total_episodes,
            total_updates=self._total_updates,
            log_sizes=self._log_sizes(),
        )
