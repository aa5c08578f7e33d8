"""What is trained next, for how long and on which orders, and what the search hears of it.

```
begin -> Visit -> updates on `orders`, until `limits` -> `evaluation` by fresh episodes -> finish -> the search
```

| curriculum | a visit is | its orders | evaluated |
| --- | --- | --- | --- |
| `Searched` | a stay with the workflow that GP-UCB picked | that one | if it reached the threshold |
| `Single` | the whole run, or what a larger budget adds | the one asked for | at its end |
| `Shared` | a tenth of the run, of one policy for all orders | drawn by the search | all 120 |
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline import seeding
from pipeline.cage2.facts.orders import NUM_WORKFLOWS, parse_order
from pipeline.learn.visit import Visit, VisitLimits
from pipeline.policy.store import SHARED_POLICY
from pipeline.types import Estimate, OrdersEvaluated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config import Config
    from pipeline.learn.evaluation import Worth
    from pipeline.policy.store import PolicyStore
    from pipeline.types import WorkflowResult
    from pipeline.workflows.search import Search

NUM_ROUNDS = 10
"""Times that all orders of a shared policy are evaluated in a run."""
_FOREVER = sys.maxsize


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """The fresh episodes that a visit ends with."""

    workflow_ids: tuple[int, ...]
    num_episodes: int
    """Per order."""
    greedy: tuple[bool, ...]
    """See `learn.evaluation.evaluate`."""


@dataclass(frozen=True, slots=True)
class VisitVerdict:
    """What a visit came to, and what the search made of it."""

    result: WorkflowResult
    """By the evaluation if there was one, else by the visit's last batch."""
    gp_updated: bool
    """Whether the Gaussian process learned of it."""
    orders_evaluated: OrdersEvaluated | None = None
    """The evaluation, if it was one of all orders."""


class Curriculum(Protocol):
    """Decides what is trained, by the search that it was made with. It holds no other state."""

    def begin(self, store: PolicyStore, remaining: int) -> Visit | None:
        """Return the next visit, or None if there is none. May fit the Gaussian process: not for the event loop.

        Args:
            store: Makes the policy.
            remaining: Episodes that the run has left.
        """
        ...

    def limits(self, visit: Visit) -> VisitLimits:
        """Return what ends a visit."""
        ...

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """Return the workflow of each episode of a visit's update: a function of these and of the search's state."""
        ...

    def evaluation(self, result: WorkflowResult, remaining: int) -> EvaluationPlan | None:
        """Return how to evaluate the policy after a visit, if at all."""
        ...

    def finish(self, result: WorkflowResult, plan: EvaluationPlan | None, worths: list[list[Worth]]) -> VisitVerdict:
        """Tell the search how a visit ended.

        Args:
            result: By the visit's last batch.
            plan: From `evaluation`.
            worths: What came of it.
        """
        ...


class Searched:
    """A policy for each workflow; GP-UCB picks which is trained."""

    def __init__(self, config: Config, search: Search) -> None:
        """Args: config: the run. search: what was tried."""
        self._config = config
        self._search = search

    def begin(self, store: PolicyStore, remaining: int) -> Visit | None:
        """See `Curriculum.begin`."""
        pick = self._search.next()
        if pick is None:
            return None
        policy = store.get_or_create(pick.workflow_id, warm_start=self._config.warm_start)
        return Visit(
            iteration=pick.iteration,
            workflow_id=pick.workflow_id,
            ucb_score=pick.ucb_score,
            first_update=policy.num_updates,
            first_episode=policy.num_episodes,
            budget=remaining,
        )

    def limits(self, visit: Visit) -> VisitLimits:
        """See `Curriculum.limits`."""
        return VisitLimits(
            compliance_threshold=self._config.compliance_threshold,
            patience=self._config.patience,
            max_episodes=self._config.episode_cap - visit.first_episode,
            budget=visit.budget,
            # who is picked again is trained for as long again: else most visits would be a single update
            min_episodes=visit.first_episode,
        )

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """See `Curriculum.orders`."""
        return (visit.workflow_id,) * num_episodes

    def evaluation(self, result: WorkflowResult, remaining: int) -> EvaluationPlan | None:
        """See `Curriculum.evaluation`."""
        if not result.reached_threshold:
            return None
        return EvaluationPlan((result.workflow_id,), self._config.evaluation_episodes, (False, True))

    def finish(self, result: WorkflowResult, plan: EvaluationPlan | None, worths: list[list[Worth]]) -> VisitVerdict:
        """See `Curriculum.finish`."""
        if plan is not None:
            result = _evaluated(result, plan.num_episodes, worths)
        return VisitVerdict(result, self._search.finish(result))


class Single(Searched):
    """One workflow's policy, trained with all episodes of the run."""

    def __init__(self, config: Config, search: Search, order: str) -> None:
        """Args: config: the run. search: what was tried. order: the workflow's name."""
        super().__init__(config, search)
        self._workflow_id = parse_order(order)

    def begin(self, store: PolicyStore, remaining: int) -> Visit | None:
        """See `Curriculum.begin`."""
        policy = store.get_or_create(self._workflow_id, warm_start=False)
        return Visit(
            iteration=self._search.statistics().iteration,
            workflow_id=self._workflow_id,
            ucb_score=math.nan,
            first_update=policy.num_updates,
            first_episode=policy.num_episodes,
            budget=remaining,
        )

    def limits(self, visit: Visit) -> VisitLimits:
        """See `Curriculum.limits`: nothing but the budget."""
        return VisitLimits(compliance_threshold=math.inf, patience=_FOREVER, max_episodes=_FOREVER, budget=visit.budget)

    def evaluation(self, result: WorkflowResult, remaining: int) -> EvaluationPlan | None:
        """See `Curriculum.evaluation`."""
        return EvaluationPlan((self._workflow_id,), self._config.evaluation_episodes, (False, True))

    def finish(self, result: WorkflowResult, plan: EvaluationPlan | None, worths: list[list[Worth]]) -> VisitVerdict:
        """See `Curriculum.finish`: what the policy is worth counts if it follows its workflow.

        What it was worth when an earlier budget was used up counts no longer.
        """
        self._search.forget(self._workflow_id)
        follows = worths[0][0].compliance >= self._config.compliance_threshold
        return super().finish(replace(result, reached_threshold=follows), plan, worths)


class Shared:
    """One policy that is told which order to follow, trained on orders that the search draws."""

    def __init__(self, config: Config, search: Search) -> None:
        """Args: config: the run. search: what was tried."""
        self._config = config
        self._search = search
        per_round = math.ceil(config.total_episodes / NUM_ROUNDS)
        self._round_episodes = math.ceil(per_round / config.episodes_per_update) * config.episodes_per_update

    def begin(self, store: PolicyStore, remaining: int) -> Visit | None:
        """See `Curriculum.begin`."""
        policy = store.get_or_create(SHARED_POLICY, warm_start=False)
        return Visit(
            iteration=self._search.statistics().iteration,
            workflow_id=SHARED_POLICY,
            ucb_score=math.nan,
            first_update=policy.num_updates,
            first_episode=policy.num_episodes,
            budget=remaining,
        )

    def limits(self, visit: Visit) -> VisitLimits:
        """See `Curriculum.limits`: a round."""
        return VisitLimits(
            compliance_threshold=math.inf, patience=_FOREVER, max_episodes=self._round_episodes, budget=visit.budget
        )

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """See `Curriculum.orders`."""
        lots = seeding.generator(self._config.seed, seeding.Stream.SHARED_ORDERS, visit.first_update + update)
        return [int(workflow_id) for workflow_id in self._search.spread(num_episodes, lots)]

    def evaluation(self, result: WorkflowResult, remaining: int) -> EvaluationPlan | None:
        """See `Curriculum.evaluation`: with a tenth of the episodes while the policy still changes."""
        last = remaining <= 0
        num_episodes = self._config.evaluation_episodes if last else max(2, self._config.evaluation_episodes // 10)
        return EvaluationPlan(tuple(range(NUM_WORKFLOWS)), num_episodes, (False, True) if last else (False,))

    def finish(self, result: WorkflowResult, plan: EvaluationPlan | None, worths: list[list[Worth]]) -> VisitVerdict:
        """See `Curriculum.finish`."""
        assert plan is not None  # noqa: S101  # a round always ends with one
        sampled = worths[0]
        self._search.observe_all(
            np.array([worth.env_reward.mean for worth in sampled]),
            np.array([worth.env_reward.stderr for worth in sampled]),
            np.array([worth.compliance for worth in sampled]),
            self._config.compliance_threshold,
            plan.num_episodes,
        )
        follows = any(worth.compliance >= self._config.compliance_threshold for worth in sampled)
        result = replace(
            _evaluated(result, plan.num_episodes, worths),
            reached_threshold=follows,
            reason="budget" if result.reason == "budget" else "round",
        )
        evaluated = OrdersEvaluated(
            num_episodes=plan.num_episodes,
            env_reward=tuple(worth.env_reward for worth in sampled),
            compliance=tuple(worth.compliance for worth in sampled),
        )
        return VisitVerdict(result, follows, evaluated)


def curriculum(config: Config, search: Search) -> Curriculum:
    """Return what a configuration asks for, with the search that it is to keep."""
    if config.policy == "shared":
        return Shared(config, search)
    return Single(config, search, config.workflow) if config.workflow else Searched(config, search)


def _evaluated(result: WorkflowResult, num_episodes: int, worths: list[list[Worth]]) -> WorkflowResult:
    """Return a visit's result by fresh episodes: the mean over the orders that were evaluated."""
    sampled = _mean(worths[0])
    greedy = _mean(worths[1]) if len(worths) > 1 else None
    return replace(
        result,
        env_reward=sampled[0],
        compliance=sampled[1],
        num_evaluated=num_episodes * len(worths[0]),
        greedy_env_reward=greedy[0] if greedy else None,
        greedy_compliance=greedy[1] if greedy else None,
    )


def _mean(worths: list[Worth]) -> tuple[Estimate, float]:
    num = len(worths)
    return (
        Estimate(
            math.fsum(worth.env_reward.mean for worth in worths) / num,
            math.sqrt(math.fsum(worth.env_reward.stderr * worth.env_reward.stderr for worth in worths)) / num,
        ),
        math.fsum(worth.compliance for worth in worths) / num,
    )
