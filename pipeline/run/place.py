"""Where one policy at a time is in training: its visit is computed ahead of the run's record.

```
begin(visit) -> task: learner -> Step, Step, ... -> evaluator -> last Step, with outcome and scores
                                   |
                   next() <- a few wait -> one in each tick of the run (`training`)
```
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pipeline.persist.checkpoint import SavedPolicy

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from pipeline.learn.evaluation import Evaluator
    from pipeline.learn.learner import Learner, Update, VisitOutcome
    from pipeline.learn.visit import Visit
    from pipeline.policy.store import PolicyState, PolicyStore
    from pipeline.run.curriculum import Curriculum, EvaluationPlan
    from pipeline.types import Score

MAX_STEPS_AHEAD = 16
"""Updates that a visit may be ahead of the run's record: it doesn't wait while another one has slow updates, or is
evaluated. Each holds a policy."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a visit ended."""

    outcome: VisitOutcome
    scores: list[Score]
    """One per order of its evaluation's plan."""


@dataclass(frozen=True, slots=True)
class Step:
    """A visit after one more update. Nothing in it is changed later."""

    visit: Visit
    """Before its last update, if that is what it was."""
    update: Update
    behavior_weights: tuple[npt.NDArray[np.float32], ...]
    """What its next batches are played with, as in a checkpoint."""
    policy: SavedPolicy
    ending: Ending | None = None


class Place:
    """Trains and evaluates one policy at a time, as a task."""

    def __init__(self, learner: Learner, evaluator: Evaluator, curriculum: Curriculum, store: PolicyStore) -> None:
        """Prepare. Args: learner, evaluator: this place's own. curriculum, store: the run's."""
        self.learner = learner
        self.evaluator = evaluator
        self._curriculum = curriculum
        self._store = store
        self._task: asyncio.Task[None] | None = None
        self._steps: asyncio.Queue[Step | Exception | None] = asyncio.Queue(MAX_STEPS_AHEAD)
        self.visit: Visit | None = None
        """In training here, as it was in the run's last tick."""
        self.behavior_weights: tuple[npt.NDArray[np.float32], ...] = ()
        """Of that visit, then."""
        self.is_evaluating = False

    def begin(
        self,
        tasks: asyncio.TaskGroup,
        visit: Visit,
        policy: PolicyState,
        behavior_weights: deque[npt.NDArray[np.float32]],
        is_stopping: Callable[[], bool],
    ) -> None:
        """Let a visit begin, or go on.

        Args:
            tasks: In which it runs.
            visit: New, or as a checkpoint had it.
            policy: Its policy, which is this place's own until the visit has ended.
            behavior_weights: See `learn.learner.Learner.train`.
            is_stopping: Returns whether the run is to end, so that no evaluation should begin.
        """
        self.visit, self.behavior_weights = visit, tuple(behavior_weights)
        self._steps = asyncio.Queue(MAX_STEPS_AHEAD)
        self._task = tasks.create_task(self._stay(visit, policy, behavior_weights, is_stopping), name="cage2-visit")

    async def next(self) -> Step | None:
        """Return what the visit came to with its next update; wait for it.

        Returns:
            None if it was to be evaluated, and the run is to end.

        Raises:
            Exception: What ended the visit, where it stands: what came before it is told before.
        """
        step = await self._steps.get()
        if isinstance(step, Exception):
            raise step
        if step is None:
            return None
        self.visit, self.behavior_weights = (None, ()) if step.ending else (step.visit, step.behavior_weights)
        return step

    def leave(self) -> None:
        """End the visit at once; what `next` has not returned is forgotten."""
        if self._task is not None:
            self._task.cancel()

    async def _stay(
        self,
        visit: Visit,
        policy: PolicyState,
        behavior_weights: deque[npt.NDArray[np.float32]],
        is_stopping: Callable[[], bool],
    ) -> None:
        try:
            last = await self._train_and_evaluate(visit, policy, behavior_weights, is_stopping)
        except Exception as error:  # noqa: BLE001  # whoever asks for the next step is told, after the steps before
            await self._steps.put(error)
        else:
            await self._steps.put(last)

    async def _train_and_evaluate(
        self,
        visit: Visit,
        policy: PolicyState,
        behavior_weights: deque[npt.NDArray[np.float32]],
        is_stopping: Callable[[], bool],
    ) -> Step | None:
        def step(visit: Visit, update: Update, ending: Ending | None = None) -> Step:
            saved = SavedPolicy(
                policy.workflow_id, policy.num_updates, policy.num_episodes, self._store.tensors(policy.workflow_id)
            )
            return Step(visit, update, tuple(behavior_weights), saved, ending)

        async def after_update(update: Update, visit: Visit) -> None:
            await self._steps.put(step(visit, update))

        outcome = await self.learner.train(
            policy,
            visit,
            self._curriculum.limits(visit),
            self._curriculum.schedule(visit),
            behavior_weights,
            partial(self._curriculum.orders, visit),
            after_update,
        )
        if is_stopping():
            return None
        plan = self._curriculum.evaluation_plan(visit, outcome.num_episodes)
        scores = await self._evaluate(policy, visit.iteration, plan)
        return step(visit, outcome.last_update, Ending(outcome, scores))

    async def _evaluate(self, policy: PolicyState, iteration: int, plan: EvaluationPlan) -> list[Score]:
        self.is_evaluating = True
        try:
            return await self.evaluator.evaluate(
                policy.network.actor_weights(),
                plan.workflow_ids,
                num_episodes=plan.num_episodes,
                evaluation_index=iteration,
                greedy_too=plan.greedy_too,
            )
        finally:
            self.is_evaluating = False
