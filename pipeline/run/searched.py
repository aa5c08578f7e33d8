"""A policy for each workflow: the search and the finals, or one workflow alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.cage2.facts.order_names import parse_order
from pipeline.config import MAX_EVALUATION_EPISODES
from pipeline.learn.visit import Schedule, Visit, VisitLimits
from pipeline.ppo.recipe import to_the_end
from pipeline.run.curriculum import EvaluationPlan, VisitVerdict
from pipeline.types import WorkflowResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config import Config
    from pipeline.learn.learner import VisitOutcome
    from pipeline.policy.store import PolicyStore
    from pipeline.ppo.recipe import Recipe
    from pipeline.types import Part, Score
    from pipeline.workflows.search import Search

AFRESH_EPISODES = 20_000
"""From so many for the winner on, finalists are trained from the beginning, and thoroughly; with fewer, they are
trained on."""
FINAL_EVALUATIONS = 5
"""By how many times as many episodes finalists are evaluated: they are close to one another."""


class Searched:
    """A policy for each workflow. GP-UCB picks which is trained; the most promising are trained to the end."""

    def __init__(self, config: Config, search: Search, recipe: Recipe) -> None:
        """Args: config: the run. search: what was tried. recipe: its hyper-parameters."""
        self._config = config
        self._search = search
        self._recipe = recipe

    def begin(
        self, store: PolicyStore, remaining: int, under_way: Sequence[Visit] = (), num_free: int = 1
    ) -> Visit | None:
        """See `Curriculum.begin`. Finalists begin anew if they can: one that is trained on stays where it was.

        A visit has a budget from the start, whatever the others come to; what it doesn't use goes to those that begin
        later. No more begin than have enough for a visit each. The finals wait for all visits of the search.
        """
        part: Part
        search, in_training = self._search, [visit.workflow_id for visit in under_way]
        free = remaining - sum(visit.budget - visit.num_episodes for visit in under_way)
        if free <= 0:
            return None
        left_to_search = free - self._config.finals_episodes
        finals_go_on = search.finals is not None and search.finals.left
        if not finals_go_on and left_to_search <= 0:
            is_used_up = remaining <= self._config.finals_episodes
            if is_used_up and search.statistics().num_observations == 0:
                left_to_search = free  # without an observed order there are no finals to save episodes for
            elif under_way:
                return None
            else:
                search.hold_finals(self._config.finalists, free)
        pick = search.next(in_training)
        if pick is None:
            return None
        policy = store.get_or_create(pick.workflow_id, self._config.warm_start, in_training)
        if (finals := search.finals) and finals.left:
            part, budget = "finals", min(finals.heat_episodes, free) if finals.are_heats else free
            begins_anew = finals.are_heats and pick.workflow_id != finals.champion  # who has been trained to the end
            if begins_anew and finals.winners_episodes >= AFRESH_EPISODES:
                policy = store.renew(pick.workflow_id)
        else:
            num_sharers = min(num_free, max(1, round(left_to_search / self._config.visit_episodes)))
            part, budget = "search", math.ceil(left_to_search / num_sharers)
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
            return VisitLimits.of_budget(visit.budget)
        return VisitLimits(
            compliance_threshold=self._config.compliance_threshold,
            patience=self._config.patience,
            max_episodes=self._search.episodes_left(visit.workflow_id),
            budget=visit.budget,
            min_episodes=self._config.visit_episodes,
        )

    def schedule(self, visit: Visit) -> Schedule:
        """See `Curriculum.schedule`: over a visit's episodes, or all that the winner of the finals has."""
        if visit.part == "finals":
            finals = self._search.finals
            assert finals is not None  # noqa: S101  # for mypy: it was held before the visit began
            recipe = to_the_end(self._recipe) if finals.winners_episodes >= AFRESH_EPISODES else self._recipe
            had = 0 if finals.are_heats else finals.heat_episodes
            return Schedule(recipe, visit.first_episode - had, finals.winners_episodes)
        return Schedule(self._recipe, visit.first_episode, self._config.visit_episodes)

    def orders(self, visit: Visit, update: int, num_episodes: int) -> Sequence[int]:
        """See `Curriculum.orders`."""
        return (visit.workflow_id,) * num_episodes

    def evaluation_plan(self, visit: Visit, num_episodes: int) -> EvaluationPlan:
        """See `Curriculum.evaluation_plan`: finalists with more episodes."""
        num_fresh = self._config.evaluation_episodes
        if visit.part == "finals":
            num_fresh = min(FINAL_EVALUATIONS * num_fresh, MAX_EVALUATION_EPISODES)
        return EvaluationPlan((visit.workflow_id,), num_fresh, greedy_too=True)

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

    def begin(
        self, store: PolicyStore, remaining: int, under_way: Sequence[Visit] = (), num_free: int = 1
    ) -> Visit | None:
        """See `Curriculum.begin`: one at a time."""
        if under_way:
            return None
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
        return VisitLimits.of_budget(visit.budget)

    def schedule(self, visit: Visit) -> Schedule:
        """See `Curriculum.schedule`: over the run."""
        return Schedule(self._recipe, 0, self._config.total_episodes)
