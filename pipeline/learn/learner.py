"""The learning side of the loop: episodes into batches, batches into weights.

```
take(plan, row, record) -> Batch row -> full -> PPO on a thread -> publish(version) -> next BatchPlan
```

Update `k` of a visit learns from episodes that were played with the weights after update `max(0, k - lag)`, whatever
the timing. Batches ahead of the one being filled are asked for as soon as their weights exist, so that no worker waits
for the slowest episode of a batch; if the visit ends first, they are dropped unseen.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pipeline import seeding
from pipeline.errors import PipelineError
from pipeline.learn import ppo
from pipeline.learn.batch import Batch, BatchStatistics
from pipeline.types import BatchPlan, UpdateResult, WorkflowResult
from pipeline.workflows.orders import order_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from concurrent.futures import Executor

    import numpy as np
    import numpy.typing as npt
    import torch

    from native_buffers.weights import WeightBoard
    from pipeline.learn.recipe import Recipe
    from pipeline.learn.visit import Visit, VisitLimits
    from pipeline.policy.store import PolicyState


_T = TypeVar("_T")


class Requests(Protocol):
    """Where batches are asked for: the collecting side, as the learner sees it."""

    def open(self, plan: BatchPlan) -> None:
        """Ask for the episodes of a plan."""
        ...

    def close(self, batch_index: int) -> None:
        """Stop asking for them."""
        ...


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """What all visits of a run have in common."""

    run_seed: int
    num_steps: int
    observation_size: int
    episodes_per_update: int
    policy_lag: int
    alignment_lambda: float
    max_episodes_per_workflow: int
    recipe: Recipe
    device: torch.device


@dataclass(frozen=True, slots=True)
class VisitOutcome:
    """How a visit ended: its last update, and what the search is to know."""

    last_update: UpdateResult
    result: WorkflowResult


@dataclass(slots=True)
class _OpenBatch:
    """A batch that is filling, and the plan it was asked for with."""

    plan: BatchPlan
    batch: Batch
    full: asyncio.Event
    opened_s: float
    full_s: float = 0.0


class Learner:
    """Trains one workflow's policy at a time."""

    def __init__(self, settings: LearnerSettings, board: WeightBoard, requests: Requests, thread: Executor) -> None:
        """Prepare to learn.

        Args:
            settings: What all visits have in common.
            board: Where weights are published.
            requests: Where episodes are asked for.
            thread: A single thread on which PPO runs.
        """
        self._settings = settings
        self._board = board
        self._requests = requests
        self._thread = thread
        self._open: dict[int, _OpenBatch] = {}
        self._spare: list[Batch] = []
        self._next_batch_index = 0
        self._next_version = 0
        self.total_episodes = 0
        """Episodes learned from so far, over all workflows of the run."""
        self.total_updates = 0
        """Updates so far, over all workflows of the run."""
        self.update_s = 0.0
        """Seconds spent in PPO so far."""
        self.wait_s = 0.0
        """Seconds spent waiting for episodes so far."""

    def take(self, plan: BatchPlan, row: int, record: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Copy an episode into its row of its batch (the collecting side calls this)."""
        filling = self._open[plan.batch_index]
        filling.batch.put(row, record)
        if filling.batch.full:
            filling.full_s = time.monotonic()
            filling.full.set()
            self._requests.close(plan.batch_index)

    def filling(self) -> tuple[int, int, int] | None:
        """Return `(batch_index, num_filled, num_episodes)` of the oldest batch that is filling, or None."""
        for index, filling in self._open.items():
            if not filling.batch.full:
                return index, filling.batch.num_filled, filling.plan.num_episodes
        return None

    async def train(
        self,
        policy: PolicyState,
        visit: Visit,
        limits: VisitLimits,
        behavior_weights: deque[npt.NDArray[np.float32]],
        after_update: Callable[[UpdateResult, Visit], Awaitable[bool]],
    ) -> VisitOutcome | None:
        """Train a workflow's policy until the visit is over.

        Args:
            policy: The policy, trained in place.
            visit: The visit so far: new, or as a checkpoint had it.
            limits: What ends it.
            behavior_weights: Actor weights, flat, after the last `policy_lag + 1` updates of the visit (fewer at its
                start), the newest last; kept up to date in place, for checkpoints.
            after_update: Awaited after each update but the visit's last; True asks to stop here.

        Returns:
            How the visit ended, or None if it was stopped.

        Raises:
            TrainingDivergedError: An update met a number that is not finite.
            UpdateFailedError: An update raised. Either way the policy stays as it was before that update.
        """
        versions = deque((self._publish(weights) for weights in behavior_weights), maxlen=behavior_weights.maxlen)
        newest = visit.num_updates  # the update after which the newest version was taken
        queue: deque[_OpenBatch] = deque()
        try:
            while True:
                if not queue or not queue[0].batch.full:
                    self._ask(queue, visit, limits, versions, newest)
                filling = queue[0]
                waiting_s = time.monotonic()
                await filling.full.wait()
                self.wait_s += time.monotonic() - waiting_s
                statistics = await self._on_thread(filling.batch.statistics, self._settings.alignment_lambda)
                visit = visit.after(statistics)
                reason = limits.reason_to_stop(visit, statistics.compliance)
                queue.popleft()
                del self._open[filling.plan.batch_index]
                if reason:
                    self._drop(queue)
                else:
                    self._ask(queue, visit, limits, versions, newest)
                self.total_episodes += statistics.num_episodes
                result = await self._update(policy, visit, filling, statistics)
                self._keep(filling.batch)
                behavior_weights.append(policy.network.actor_weights())
                versions.append(self._publish(behavior_weights[-1]))
                newest = visit.num_updates
                if reason:
                    return VisitOutcome(
                        result,
                        WorkflowResult(
                            workflow_id=policy.workflow_id,
                            env_reward=statistics.env_reward,
                            compliance=statistics.compliance,
                            num_episodes=visit.num_episodes,
                            reached_threshold=reason == "threshold",
                            reason=reason,
                        ),
                    )
                if await after_update(result, visit):
                    return None
        finally:
            self._drop(queue)

    def _ask(
        self, queue: deque[_OpenBatch], visit: Visit, limits: VisitLimits, versions: deque[int], newest: int
    ) -> None:
        """Ask for every batch whose weights exist: up to the lag beyond the newest ones, within the visit's limits."""
        settings = self._settings
        while True:
            update = visit.num_updates + len(queue)
            first = visit.num_episodes + sum(waiting.plan.num_episodes for waiting in queue)
            num_episodes = min(settings.episodes_per_update, limits.episodes_left - first)
            if update > newest + settings.policy_lag or num_episodes <= 0:
                return
            behavior_update = max(0, update - settings.policy_lag)
            plan = BatchPlan(
                batch_index=self._next_batch_index,
                workflow_id=visit.workflow_id,
                first_episode=visit.first_episode + first,
                num_episodes=num_episodes,
                weight_version=versions[behavior_update - newest - 1],
            )
            self._next_batch_index += 1
            batch = self._spare.pop() if self._spare and num_episodes == settings.episodes_per_update else None
            filling = _OpenBatch(
                plan,
                batch or Batch(num_episodes, settings.num_steps, settings.observation_size),
                asyncio.Event(),
                time.monotonic(),
            )
            queue.append(filling)
            self._open[plan.batch_index] = filling
            self._requests.open(plan)

    def _drop(self, queue: deque[_OpenBatch]) -> None:
        for ahead in queue:
            self._requests.close(ahead.plan.batch_index)
            del self._open[ahead.plan.batch_index]
            self._keep(ahead.batch)
        queue.clear()

    def _keep(self, batch: Batch) -> None:
        """Keep a batch's memory for another: touching new pages costs more than playing an episode."""
        if batch.num_episodes == self._settings.episodes_per_update:
            batch.clear()
            self._spare.append(batch)

    def _publish(self, weights: npt.NDArray[np.float32]) -> int:
        version = self._next_version
        self._next_version += 1
        self._board.publish(version, weights)
        return version

    async def _on_thread(self, call: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    async def _update(
        self, policy: PolicyState, visit: Visit, filling: _OpenBatch, statistics: BatchStatistics
    ) -> UpdateResult:
        settings = self._settings
        update = policy.num_updates
        generator = seeding.generator(settings.run_seed, seeding.Stream.MINIBATCHES, policy.workflow_id, update)
        started_s = time.monotonic()
        try:
            metrics = await self._on_thread(
                partial(
                    ppo.update,
                    policy,
                    filling.batch,
                    settings.recipe,
                    alignment_lambda=settings.alignment_lambda,
                    progress=min(1.0, policy.num_episodes / settings.max_episodes_per_workflow),
                    generator=generator,
                    device=settings.device,
                )
            )
        except PipelineError:
            raise
        except Exception as error:
            raise ppo.UpdateFailedError(policy.workflow_id, update, error) from error
        update_s = time.monotonic() - started_s
        self.update_s += update_s
        self.total_updates += 1
        return UpdateResult(
            update=update,
            workflow_id=policy.workflow_id,
            workflow_order=order_name(policy.workflow_id),
            num_episodes=filling.plan.num_episodes,
            total_episodes=self.total_episodes,
            env_reward=statistics.env_reward,
            alignment_bonus=statistics.alignment_bonus,
            total_reward=statistics.total_reward,
            compliance=statistics.compliance,
            avg_fixes=statistics.avg_fixes,
            collection_s=filling.full_s - filling.opened_s,
            update_s=update_s,
            policy_loss=metrics.policy_loss,
            value_loss=metrics.value_loss,
            entropy=metrics.entropy,
            approx_kl=metrics.approx_kl,
            clip_fraction=metrics.clip_fraction,
            num_epochs=metrics.num_epochs,
            learning_rate=metrics.learning_rate,
        )
