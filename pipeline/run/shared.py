"""One policy for all workflows, which is told which to follow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline import seeding
from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.learn.visit import Schedule, Visit, VisitLimits
from pipeline.policy.params import SHARED_POLICY
from pipeline.run.curriculum import EvaluationPlan, VisitVerdict
from pipeline.types import Estimate, OrdersEvaluated, Score, WorkflowResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config import Config
    from pipeline.learn.learner import VisitOutcome
    from pipeline.policy.store import PolicyStore
    from pipeline.ppo.recipe import Recipe
    from pipeline.workflows.search import Search

NUM_ROUNDS = 10
"""Times that all orders of a shared policy are evaluated in a run."""


class Shared:
    """One policy that is told which order to follow, trained on orders that the search draws."""

    def __init__(self, config: Config, search: Search, recipe: Recipe) -> None:
        """Args: config: the run. search: what was tried. recipe: its hyper-parameters."""
        self._config = config
        self._search = search
        self._recipe = recipe
        per_round = math.ceil(config.total_episodes / NUM_ROUNDS)
        self._round_episodes = math.ceil(per_round / config.episodes_per_update) * config.episodes_per_update

    def begin(
        self, store: PolicyStore, remaining: int, under_way: Sequence[Visit] = (), num_free: int = 1
    ) -> Visit | None:
        """See `Curriculum.begin`: one at a time."""
        if under_way:
            return None
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
        return VisitLimits.of_budget(min(self._round_episodes, visit.budget))

    def schedule(self, visit: Visit) -> Schedule:
        """See `Curriculum.schedule`: over the run."""
        return Schedule(self._recipe, 0, self._config.total_episodes)

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """See `Curriculum.orders`."""
        lots = seeding.generator(self._config.seed, seeding.Stream.SHARED_ORDERS, visit.first_update + update)
        return [int(workflow_id) for workflow_id in self._search.deal(num_episodes, lots)]

    def evaluation_plan(self, visit: Visit, num_episodes: int) -> EvaluationPlan:
        """See `Curriculum.evaluation_plan`: with a tenth of the episodes while the policy still changes."""
        last = num_episodes >= visit.budget
        num_fresh = self._config.evaluation_episodes if last else max(2, self._config.evaluation_episodes // 10)
        return EvaluationPlan(tuple(range(NUM_WORKFLOWS)), num_fresh, greedy_too=last)

    def finish(self, visit: Visit, outcome: VisitOutcome, scores: Sequence[Score]) -> VisitVerdict:
        """See `Curriculum.finish`."""
        self._search.observe_all(scores, self._config.compliance_threshold)
        follows = any(score.compliance >= self._config.compliance_threshold for score in scores)
        result = WorkflowResult(
            workflow_id=SHARED_POLICY,
            score=_mean(scores),
            num_episodes=outcome.num_episodes,
            reached_threshold=follows,
            reason="budget" if outcome.num_episodes >= visit.budget else "round",
        )
        evaluated = OrdersEvaluated(
            num_episodes=scores[0].num_evaluated,
            env_reward=tuple(score.env_reward for score in scores),
            compliance=tuple(score.compliance for score in scores),
        )
        return VisitVerdict(result, follows, evaluated)


def _mean(scores: Sequence[Score]) -> Score:
    """Return the mean over all orders."""
    greedy = [score.greedy_env_reward for score in scores if score.greedy_env_reward is not None]
    greedy_compliance = [score.greedy_compliance for score in scores if score.greedy_compliance is not None]
    return Score(
        num_evaluated=sum(score.num_evaluated for score in scores),
        env_reward=_mean_estimate([score.env_reward for score in scores]),
        compliance=math.fsum(score.compliance for score in scores) / len(scores),
        greedy_env_reward=_mean_estimate(greedy) if greedy else None,
        greedy_compliance=math.fsum(greedy_compliance) / len(scores) if greedy_compliance else None,
    )


def _mean_estimate(estimates: Sequence[Estimate]) -> Estimate:
    num = len(estimates)
    variance = math.fsum(estimate.stderr * estimate.stderr for estimate in estimates)
    return Estimate(math.fsum(estimate.mean for estimate in estimates) / num, math.sqrt(variance) / num)
