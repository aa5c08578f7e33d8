"""The learning side of the loop: episodes into batches, batches into weights.

```
full Batch -> PPO on a thread -> weights -(publish)-> version -(open_batch)-> Filling -(its episodes come)-> full Batch
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
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline import seeding
from pipeline.errors import PipelineError
from pipeline.filling import BatchPlan
from pipeline.policy.params import policy_name
from pipeline.ppo import update as ppo
from pipeline.ppo.batch import Batch, BatchStatistics
from pipeline.types import UpdateResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import numpy as np
    import numpy.typing as npt
    import torch

    from pipeline.filling import Filling
    from pipeline.learn.threads import LearnerThreads
    from pipeline.learn.visit import Schedule, Visit, VisitLimits
    from pipeline.policy.store import PolicyState
    from pipeline.ppo.update import UpdateMetrics
    from pipeline.types import VisitEnd


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """What all visits of a run have in common."""

    run_seed: int
    num_steps: int
    observation_size: int
    episodes_per_update: int
    policy_lag: int
    alignment_lambda: float
    device: torch.device


@dataclass(frozen=True, slots=True)
class LearnerStatistics:
    """Where a learner's time went so far, in this process."""

    update_s: float
    """Seconds in PPO."""
    wait_s: float
    """Seconds waiting for episodes."""


@dataclass(frozen=True, slots=True)
class Update:
    """One PPO update of a policy."""

    workflow_id: int
    index: int
    """Updates of the policy before it."""
    batch: BatchStatistics
    metrics: UpdateMetrics
    collection_s: float
    """From asking for the batch to its last episode."""
    update_s: float

    def result(self, total_episodes: int) -> UpdateResult:
        """Return it as an event. Args: total_episodes: that the run has learned from, this batch included."""
        batch, metrics = self.batch, self.metrics
        return UpdateResult(
            update=self.index,
            workflow_id=self.workflow_id,
            workflow_order=policy_name(self.workflow_id),
            num_episodes=batch.num_episodes,
            total_episodes=total_episodes,
            env_reward=batch.env_reward,
            alignment_bonus=batch.alignment_bonus,
            total_reward=batch.total_reward,
            compliance=batch.compliance,
            avg_fixes=batch.avg_fixes,
            collection_s=self.collection_s,
            update_s=self.update_s,
            policy_loss=metrics.policy_loss,
            value_loss=metrics.value_loss,
            entropy=metrics.entropy,
            approx_kl=metrics.approx_kl,
            clip_fraction=metrics.clip_fraction,
            num_epochs=metrics.num_epochs,
            learning_rate=metrics.learning_rate,
        )


@dataclass(frozen=True, slots=True)
class VisitOutcome:
    """How a visit ended."""

    last_update: Update
    num_episodes: int
    """Trained in it."""
    reason: VisitEnd


class Learner:
    """Trains one workflow's policy at a time; several learners share workers and threads."""

    def __init__(
        self,
        settings: LearnerSettings,
        publish: Callable[[npt.NDArray[np.float32]], int],
        open_batch: Callable[[BatchPlan, Batch], Filling[Batch]],
        threads: LearnerThreads,
    ) -> None:
        """Prepare to learn.

        Args:
            settings: What all visits have in common.
            publish: Lets weights be played with, and returns their version.
            open_batch: Asks for the episodes of a plan, to be put into an empty batch.
            threads: On which PPO runs.
        """
        self._settings = settings
        self._publish = publish
        self._open_batch = open_batch
        self._threads = threads
        self._spare: list[Batch] = []
        self._update_s = self._wait_s = 0.0

    def statistics(self) -> LearnerStatistics:
        """Return where the time went so far."""
        return LearnerStatistics(self._update_s, self._wait_s)

    async def prepare(self) -> None:
        """Compile what updates call, while the workers start. An update that comes first waits for it."""
        if self._settings.device.type == "cpu":
            await self._on_thread(ppo.warm_up)

    async def train(
        self,
        policy: PolicyState,
        visit: Visit,
        limits: VisitLimits,
        schedule: Schedule,
        behavior_weights: deque[npt.NDArray[np.float32]],
        orders: Callable[[int, int], Sequence[int]],
        after_update: Callable[[Update, Visit], Awaitable[None]],
    ) -> VisitOutcome:
        """Train a workflow's policy until the visit is over.

        Args:
            policy: The policy, trained in place.
            visit: The visit so far: new, or as a checkpoint had it.
            limits: What ends it.
            schedule: What it learns by.
            behavior_weights: Actor weights, flat, after the last `policy_lag + 1` updates of the visit (fewer at its
                start), the newest last; kept up to date in place, for checkpoints.
            orders: Called with an update of the visit and its number of episodes; returns the workflow of each.
            after_update: Awaited after each update but the visit's last.

        Returns:
            How the visit ended.

        Raises:
            TrainingDivergedError: An update met a number that is not finite.
            UpdateFailedError: An update raised. Either way the policy stays as it was before that update.
        """
        versions = deque(map(self._publish, behavior_weights), maxlen=behavior_weights.maxlen)
        newest = visit.num_updates  # the update after which the newest version was taken
        queue: deque[Filling[Batch]] = deque()
        self._threads.num_visits += 1
        try:
            while True:
                if not queue or not queue[0].rows.full:
                    self._ask(queue, visit, limits, orders, versions, newest)
                filling = queue[0]
                waiting_s = time.monotonic()
                await filling.full.wait()
                self._wait_s += time.monotonic() - waiting_s
                statistics = await self._on_thread(filling.rows.statistics, self._settings.alignment_lambda)
                visit = visit.after(statistics)
                reason = limits.reason_to_stop(visit)
                queue.popleft()
                if reason:
                    self._drop(queue)
                else:
                    self._ask(queue, visit, limits, orders, versions, newest)
                update = await self._update(policy, schedule, filling, statistics)
                self._keep(filling.rows)
                behavior_weights.append(policy.network.actor_weights())
                versions.append(self._publish(behavior_weights[-1]))
                newest = visit.num_updates
                if reason:
                    return VisitOutcome(update, visit.num_episodes, reason)
                await after_update(update, visit)
        finally:
            self._threads.num_visits -= 1
            self._drop(queue)

    def _ask(
        self,
        queue: deque[Filling[Batch]],
        visit: Visit,
        limits: VisitLimits,
        orders: Callable[[int, int], Sequence[int]],
        versions: deque[int],
        newest: int,
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
            batch = self._spare.pop() if self._spare and num_episodes == settings.episodes_per_update else None
            plan = BatchPlan(
                tuple(orders(update, num_episodes)),
                first_episode=visit.first_episode + first,
                weight_version=versions[behavior_update - newest - 1],
            )
            batch = batch or Batch(num_episodes, settings.num_steps, settings.observation_size)
            queue.append(self._open_batch(plan, batch))

    def _drop(self, queue: deque[Filling[Batch]]) -> None:
        for ahead in queue:
            ahead.close()
            self._keep(ahead.rows)
        queue.clear()

    def _keep(self, batch: Batch) -> None:
        """Keep a batch's memory for another: touching new pages costs more than playing an episode."""
        if batch.num_episodes == self._settings.episodes_per_update:
            batch.clear()
            self._spare.append(batch)

    async def _on_thread(self, call: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads.updates, call, *arguments)

    async def _update(
        self, policy: PolicyState, schedule: Schedule, filling: Filling[Batch], statistics: BatchStatistics
    ) -> Update:
        settings = self._settings
        update = policy.num_updates
        generator = seeding.generator(settings.run_seed, seeding.Stream.MINIBATCHES, policy.workflow_id, update)
        helper = self._threads.helper()

        def learn() -> tuple[UpdateMetrics, float]:
            started_s = time.monotonic()  # a thread may have been waited for until here
            metrics = ppo.update(
                policy,
                filling.rows,
                schedule.recipe,
                alignment_lambda=settings.alignment_lambda,
                progress=schedule.progress(policy.num_episodes),
                generator=generator,
                device=settings.device,
                helper=helper,
            )
            return metrics, time.monotonic() - started_s

        try:
            metrics, update_s = await self._on_thread(learn)
        except PipelineError:
            raise
        except Exception as error:
            raise ppo.UpdateFailedError(policy.workflow_id, update, error) from error
        self._update_s += update_s
        return Update(
            workflow_id=policy.workflow_id,
            index=update,
            batch=statistics,
            metrics=metrics,
            collection_s=filling.full_s - filling.opened_s,
            update_s=update_s,
        )
