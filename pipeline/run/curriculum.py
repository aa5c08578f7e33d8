"""What is trained next, for how long and on which orders, and what the search hears of it.

```
begin -> Visit -> updates on `orders`, until `limits` -> `evaluation_plan`: fresh episodes -> finish -> the search
```

| curriculum | a visit is | its orders |
| --- | --- | --- |
| `Searched` | a stay with the workflow that GP-UCB picked, then the training of each finalist | that one |
| `Single` | the whole run, or what a larger budget adds | the one asked for |
| `Shared` | a tenth of the run, of one policy for all orders | drawn by the search |

Every visit ends with an evaluation by fresh episodes, and that alone decides whether its workflow counts as learned.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipeline import seeding
from pipeline.cage2.facts.orders import NUM_WORKFLOWS, parse_order
from pipeline.config import MAX_EVALUATION_EPISODES
from pipeline.learn.visit import Schedule, Visit, VisitLimits
from pipeline.policy.store import SHARED_POLICY
from pipeline.ppo.recipe import to_the_end
from pipeline.types import Estimate, OrdersEvaluated, Score, WorkflowResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config import Config
    from pipeline.learn.learner import VisitOutcome
    from pipeline.policy.store import PolicyStore
    from pipeline.ppo.recipe import Recipe
    from pipeline.types import Part
    from pipeline.workflows.search import Search

NUM_ROUNDS = 10
"""Times that all orders of a shared policy are evaluated in a run."""
FINAL_EVALUATIONS = 5
"""By how many times as many episodes finalists are evaluated: they are close to one another."""
_FOREVER = sys.maxsize


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """The fresh episodes that a visit ends with."""

    workflow_ids: tuple[int, ...]
    num_episodes: int
    """Per order."""
    greedy_too: bool
    """See `learn.evaluation.evaluate`."""


@dataclass(frozen=True, slots=True)
class VisitVerdict:
    """What a visit came to, and what the search made of it."""

    result: WorkflowResult
    gp_updated: bool
    """Whether the Gaussian process learned what the policy is worth."""
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

    def schedule(self, visit: Visit) -> Schedule:
        """Return what a visit learns by."""
        ...

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """Return the workflow of each episode of a visit's update: a function of these and of the search's state."""
        ...

    def evaluation_plan(self, visit: Visit, remaining: int) -> EvaluationPlan:
        """Return how to evaluate the policy after a visit."""
        ...

    def finish(self, visit: Visit, outcome: VisitOutcome, scores: Sequence[Score]) -> VisitVerdict:
        """Tell the search how a visit ended.

        Args:
            visit: The visit.
            outcome: How its training ended.
            scores: What came of its evaluation, one per order of the plan.
        """
        ...


class Searched:
    """A policy for each workflow. GP-UCB picks which is trained; the most promising are trained to the end."""

    def __init__(self, config: Config, search: Search, recipe: Recipe) -> None:
        """Args: config: the run. search: what was tried. recipe: its hyper-parameters."""
        self._config = config
        self._search = search
        self._recipe = recipe

    def begin(self, store: PolicyStore, remaining: int) -> Visit | None:
        """See `Curriculum.begin`. Finalists begin anew: one that is trained on stays where it was."""
        part: Part
        left_to_search = remaining - self._config.finals_episodes
        finals, is_observed = self._search.finals, self._search.statistics().num_observations > 0
        if not (finals and finals.left) and left_to_search <= 0 and is_observed:
            self._search.hold_finals(self._config.finalists)
            finals = self._search.finals
        pick = self._search.next()
        if pick is None:
            return None
        policy = store.get_or_create(pick.workflow_id, warm_start=self._config.warm_start)
        if finals and finals.left:
            policy = store.renew(pick.workflow_id)
            part, budget = "finals", math.ceil(remaining / len(finals.left))
        else:  # without an observed order there are no finals to save episodes for
            part, budget = "search", left_to_search if left_to_search > 0 and is_observed else remaining
        return Visit(
            iteration=pick.iteration,
            workflow_id=pick.workflow_id,
            ucb_score=pick.ucb_score,
            first_update=policy.num_updates,
            first_episode=policy.num_episodes,
            budget=budget,
            part=part,
        )

    def limits(self, visit: Visit) -> VisitLimits:
        """See `Curriculum.limits`: of a finalist nothing but its share of the budget."""
        if visit.part == "finals":
            return _only(visit.budget)
        return VisitLimits(
            compliance_threshold=self._config.compliance_threshold,
            patience=self._config.patience,
            max_episodes=max(0, self._config.episode_cap - visit.first_episode),
            budget=visit.budget,
            min_episodes=self._config.visit_episodes,
        )

    def schedule(self, visit: Visit) -> Schedule:
        """See `Curriculum.schedule`: over a visit's episodes, or a finalist's share."""
        if visit.part == "finals":
            return Schedule(to_the_end(self._recipe), visit.first_episode, visit.budget)
        return Schedule(self._recipe, visit.first_episode, self._config.visit_episodes)

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """See `Curriculum.orders`."""
        return (visit.workflow_id,) * num_episodes

    def evaluation_plan(self, visit: Visit, remaining: int) -> EvaluationPlan:
        """See `Curriculum.evaluation_plan`: finalists with more episodes."""
        num_episodes = self._config.evaluation_episodes
        if visit.part == "finals":
            num_episodes = min(FINAL_EVALUATIONS * num_episodes, MAX_EVALUATION_EPISODES)
        return EvaluationPlan((visit.workflow_id,), num_episodes, greedy_too=True)

    def finish(self, visit: Visit, outcome: VisitOutcome, scores: Sequence[Score]) -> VisitVerdict:
        """See `Curriculum.finish`."""
        (score,) = scores
        result = WorkflowResult(
            workflow_id=visit.workflow_id,
            score=score,
            num_episodes=outcome.num_episodes,
            reached_threshold=score.compliance >= self._config.compliance_threshold,
            reason="final" if visit.part == "finals" else outcome.reason,
        )
        return VisitVerdict(result, self._search.finish(result))


class Single(Searched):
    """One workflow's policy, trained with all episodes of the run."""

    def __init__(self, config: Config, search: Search, recipe: Recipe, order: str) -> None:
        """Args: config: the run. search: what was tried. recipe: its hyper-parameters. order: the workflow's name."""
        super().__init__(config, search, recipe)
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
        return _only(visit.budget)

    def schedule(self, visit: Visit) -> Schedule:
        """See `Curriculum.schedule`: over the run."""
        return Schedule(self._recipe, 0, self._config.total_episodes)


class Shared:
    """One policy that is told which order to follow, trained on orders that the search draws."""

    def __init__(self, config: Config, search: Search, recipe: Recipe) -> None:
        """Args: config: the run. search: what was tried. recipe: its hyper-parameters."""
        self._config = config
        self._search = search
        self._recipe = recipe
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
        return _only(min(self._round_episodes, visit.budget))

    def schedule(self, visit: Visit) -> Schedule:
        """See `Curriculum.schedule`: over the run."""
        return Schedule(self._recipe, 0, self._config.total_episodes)

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """See `Curriculum.orders`."""
        lots = seeding.generator(self._config.seed, seeding.Stream.SHARED_ORDERS, visit.first_update + update)
        return [int(workflow_id) for workflow_id in self._search.deal(num_episodes, lots)]

    def evaluation_plan(self, visit: Visit, remaining: int) -> EvaluationPlan:
        """See `Curriculum.evaluation_plan`: with a tenth of the episodes while the policy still changes."""
        last = remaining <= 0
        num_episodes = self._config.evaluation_episodes if last else max(2, self._config.evaluation_episodes // 10)
        return EvaluationPlan(tuple(range(NUM_WORKFLOWS)), num_episodes, greedy_too=last)

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


def curriculum(config: Config, search: Search, recipe: Recipe) -> Curriculum:
    """Return what a configuration asks for, with the search that it is to keep, and the recipe that it names."""
    if config.policy == "shared":
        return Shared(config, search, recipe)
    return Single(config, search, recipe, config.workflow) if config.workflow else Searched(config, search, recipe)


def _only(budget: int) -> VisitLimits:
    """Return limits of which nothing but the episodes ends a visit."""
    return VisitLimits(compliance_threshold=math.inf, patience=_FOREVER, max_episodes=_FOREVER, budget=budget)


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
