"""The loop of a run: the search picks a workflow, the learner trains it, the search hears of it, over and over.

All state that a run's results depend on is in here, between two updates in a form that a checkpoint can hold.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from pipeline.learn.visit import Visit
from pipeline.persist.checkpoint import Checkpoint, SavedPolicy
from pipeline.policy.store import policy_name
from pipeline.types import WorkflowFinished, WorkflowStarted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Executor

    import numpy as np
    import numpy.typing as npt

    from pipeline.config import Config
    from pipeline.learn.evaluation import Evaluator
    from pipeline.learn.learner import Learner
    from pipeline.policy.store import PolicyState, PolicyStore
    from pipeline.run.curriculum import Curriculum, EvaluationPlan
    from pipeline.types import Event, RunEnd, Score, UpdateResult
    from pipeline.workflows.report import SearchReport
    from pipeline.workflows.search import Search


@dataclass(frozen=True, slots=True)
class TrainingStatistics:
    """How far a run's training has come."""

    total_episodes: int
    """Learned from up to the last update, those before a resume included."""
    total_updates: int
    search_s: float
    """Spent in the search, in this process."""


class Training:
    """A run's state, and the coroutine that advances it."""

    def __init__(
        self,
        config: Config,
        search: Search,
        curriculum: Curriculum,
        store: PolicyStore,
        learner: Learner,
        evaluator: Evaluator,
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
            learner: Trains them.
            evaluator: Tells what they are worth.
            search_thread: A single thread on which the Gaussian process is fitted.
            emit: Told of everything that happens.
            log_sizes: Returns the bytes of each log that belong to the state so far.
            write_checkpoint: Awaited after each update with the state.
        """
        self._config = config
        self._search = search
        self._curriculum = curriculum
        self._store = store
        self._learner = learner
        self._evaluator = evaluator
        self._search_thread = search_thread
        self._emit = emit
        self._log_sizes = log_sizes
        self._write_checkpoint = write_checkpoint
        self._visit: Visit | None = None
        self._behavior_weights: deque[npt.NDArray[np.float32]] = deque(maxlen=config.policy_lag + 1)
        self._saved: dict[int, SavedPolicy] = {}
        self.stop_requested = False
        """Set it to end the run after the update in progress."""
        self.is_evaluating = False
        """Whether no update is in progress, but an evaluation, which may take minutes: `resume` makes it anew."""
        self._search_s = 0.0
        self.state = self._snapshot()
        """The run as it was after its last update: what a checkpoint holds. Replaced, never changed."""

    def resume(self, checkpoint: Checkpoint) -> None:
        """Take up the rest of a checkpoint's state, whose search was given from the start."""
        self._visit = Visit.from_json(checkpoint.visit) if checkpoint.visit else None
        self._behavior_weights.extend(weights.numpy() for weights in checkpoint.behavior_weights)
        self._learner.total_episodes = checkpoint.total_episodes
        self._learner.total_updates = checkpoint.total_updates
        for saved in checkpoint.policies:
            self._store.load(saved.workflow_id, saved.tensors, saved.num_updates, saved.num_episodes)
            self._saved[saved.workflow_id] = saved
        self.state = checkpoint

    async def run(self) -> RunEnd:
        """Train until the budget is used, no workflow is left, or a stop is requested.

        Returns:
            `budget`, `exhausted` or `stopped`.
        """
        while True:
            remaining = self._config.total_episodes - self._learner.total_episodes
            if self._visit is None and remaining <= 0:
                return "budget"
            if self.stop_requested:
                return "stopped"
            if self._visit is None:
                self._visit = await self._begin(remaining)
                if self._visit is None:
                    return "exhausted"
            else:
                await self._train(self._visit)

    def statistics(self) -> TrainingStatistics:
        """Return how far the training has come."""
        return TrainingStatistics(
            total_episodes=self.state.total_episodes,
            total_updates=self.state.total_updates,
            search_s=self._search_s,
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

    async def report(self) -> SearchReport | None:
        """Return what may be concluded from the search so far, or None if nothing was observed."""
        return await asyncio.get_running_loop().run_in_executor(self._search_thread, self._search.report)

    async def best(self) -> tuple[int, Score] | None:
        """Return the workflow whose policy is named the best, with its latest evaluation; None if there is none."""
        return await asyncio.get_running_loop().run_in_executor(self._search_thread, self._search.best)

    async def _begin(self, remaining: int) -> Visit | None:
        started_s = time.monotonic()
        visit = await asyncio.get_running_loop().run_in_executor(
            self._search_thread, self._curriculum.begin, self._store, remaining
        )
        self._search_s += time.monotonic() - started_s
        if visit is None:
            return None
        self._behavior_weights.clear()
        self._behavior_weights.append(self._policy(visit).network.actor_weights())
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
        return visit

    async def _train(self, visit: Visit) -> None:
        policy = self._policy(visit)
        started_s = time.monotonic()
        # kept by the search, for the curriculum to have it at once
        await asyncio.get_running_loop().run_in_executor(self._search_thread, self._search.posterior)
        self._search_s += time.monotonic() - started_s

        async def after_update(update: UpdateResult, visit: Visit) -> bool:
            self._visit = visit
            await self._note(policy, update)
            return self.stop_requested

        outcome = await self._learner.train(
            policy,
            visit,
            self._curriculum.limits(visit),
            self._curriculum.schedule(visit),
            self._behavior_weights,
            partial(self._curriculum.orders, visit),
            after_update,
        )
        if outcome is None:
            return
        if self.stop_requested:
            return
        remaining = self._config.total_episodes - self._learner.total_episodes
        plan = self._curriculum.evaluation_plan(visit, remaining)
        scores = await self._evaluate(policy, visit.iteration, plan)
        verdict = self._curriculum.finish(visit, outcome, scores)
        best = await self.best()
        self._visit = None
        self._behavior_weights.clear()
        finished = WorkflowFinished(
            iteration=visit.iteration,
            workflow_order=policy_name(visit.workflow_id),
            ucb_score=visit.ucb_score,
            part=visit.part,
            result=verdict.result,
            gp_updated=verdict.gp_updated,
            best_workflow=policy_name(best[0]) if best else None,
            best_score=best[1] if best else None,
        )
        evaluated = [verdict.orders_evaluated] if verdict.orders_evaluated else []
        await self._note(policy, outcome.last_update, *evaluated, finished)

    async def _evaluate(self, policy: PolicyState, iteration: int, plan: EvaluationPlan) -> list[Score]:
        self.is_evaluating = True
        try:
            return await self._evaluator.evaluate(
                policy.network.actor_weights(),
                plan.workflow_ids,
                num_episodes=plan.num_episodes,
                evaluation_index=iteration,
                greedy_too=plan.greedy_too,
            )
        finally:
            self.is_evaluating = False

    def _policy(self, visit: Visit) -> PolicyState:
        return self._store.get_or_create(visit.workflow_id, warm_start=self._config.warm_start)

    async def _note(self, policy: PolicyState, *events: Event) -> None:
        for event in events:
            self._emit(event)
        self._saved[policy.workflow_id] = SavedPolicy(
            policy.workflow_id, policy.num_updates, policy.num_episodes, self._store.tensors(policy.workflow_id)
        )
        self.state = self._snapshot()
        await self._write_checkpoint(self.state)

    def _snapshot(self) -> Checkpoint:
        return Checkpoint(
            search=self._search.state(),
            visit=self._visit.to_json() if self._visit else None,
            behavior_weights=tuple(torch.from_numpy(weights.copy()) for weights in self._behavior_weights),
            policies=tuple(self._saved[workflow_id] for workflow_id in sorted(self._saved)),
            total_episodes=self._learner.total_episodes,
            total_updates=self._learner.total_updates,
            log_sizes=self._log_sizes(),
        )
