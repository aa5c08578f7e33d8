"""What is trained, by which rules; whole runs of each kind are in tests/determinism."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pipeline import seeding
from pipeline.cage2.facts.orders import NUM_WORKFLOWS, order_name
from pipeline.config import Config
from pipeline.learn.evaluation import Worth
from pipeline.learn.visit import Visit
from pipeline.policy.params import PLAIN
from pipeline.policy.store import SHARED_POLICY, PolicyStore
from pipeline.run.curriculum import NUM_ROUNDS, Shared, Single, VisitVerdict, curriculum
from pipeline.types import Estimate, WorkflowResult
from pipeline.workflows.search import Search

ORDER = order_name(77)


def search(config: Config) -> Search:
    return Search(seed=config.seed, beta=config.gp_beta, max_episodes_per_workflow=config.episode_cap)


def store() -> PolicyStore:
    return PolicyStore(0, "uniform", PLAIN)


def result(workflow_id: int = 77, *, reached: bool = False, reason: str = "budget", num: int = 64) -> WorkflowResult:
    return WorkflowResult(workflow_id, Estimate(-90.0, 9.0), 0.5, num, reached_threshold=reached, reason=reason)


def worth(mean: float, compliance: float) -> Worth:
    return Worth(Estimate(mean, 1.5), compliance)


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, "Searched"), ({"workflow": ORDER}, "Single"), ({"policy": "shared"}, "Shared")],
    ids=str,
)
def test_a_configuration_says_which(options: dict[str, Any], kind: str) -> None:
    config = Config(**options)
    assert type(curriculum(config, search(config))).__name__ == kind


def test_the_search_learns_of_the_evaluation_and_of_no_training_batch() -> None:
    config = Config(total_episodes=1000, max_episodes_per_workflow=500, evaluation_episodes=30)
    found = search(config)
    mine = curriculum(config, found)
    visit = mine.begin(store(), 1000)
    assert visit is not None
    reached = result(visit.workflow_id, reached=True, reason="threshold")
    plan = mine.evaluation(reached, 900)
    assert plan is not None
    assert (plan.workflow_ids, plan.num_episodes, plan.greedy) == ((visit.workflow_id,), 30, (False, True))
    verdict = mine.finish(reached, plan, [[worth(-20.0, 0.9)], [worth(-15.0, 0.8)]])
    assert verdict.gp_updated
    assert verdict.orders_evaluated is None
    evaluated = verdict.result
    assert (evaluated.env_reward, evaluated.compliance) == (Estimate(-20.0, 1.5), 0.9)
    assert (evaluated.greedy_env_reward, evaluated.greedy_compliance) == (Estimate(-15.0, 1.5), 0.8)
    assert evaluated.num_evaluated == 30
    (observed,) = found.state()["observations"]
    assert (observed["workflow_id"], observed["env_reward"], observed["stderr"]) == (visit.workflow_id, -20.0, 1.5)


def test_what_missed_the_threshold_is_neither_evaluated_nor_observed() -> None:
    config = Config(total_episodes=1000)
    found = search(config)
    mine = curriculum(config, found)
    visit = mine.begin(store(), 1000)
    assert visit is not None
    missed = result(visit.workflow_id, reason="patience")
    assert mine.evaluation(missed, 900) is None
    assert mine.finish(missed, None, []) == VisitVerdict(missed, gp_updated=False)
    assert found.state()["observations"] == []


def test_one_order_alone_has_the_whole_run() -> None:
    config = Config(workflow=ORDER, total_episodes=50_000, max_episodes_per_workflow=100)
    assert config.episode_cap == 50_000
    mine = Single(config, search(config), ORDER)
    visit = mine.begin(store(), 50_000)
    assert visit is not None
    assert (visit.workflow_id, visit.budget, visit.first_episode) == (77, 50_000, 0)
    assert math.isnan(visit.ucb_score)
    limits = mine.limits(visit)
    late = Visit(0, 77, math.nan, 0, 0, 50_000, num_updates=999, num_episodes=49_999, updates_since_best=998)
    assert limits.reason_to_stop(late, compliance=1.0) is None  # neither the threshold nor patience
    assert limits.episodes_left == 50_000
    assert mine.orders(visit, 3, 4) == (77,) * 4


def test_one_order_alone_goes_on_with_its_policy_and_counts_as_it_is_then() -> None:
    """When a larger budget was given."""
    found = search(Config(workflow=ORDER, total_episodes=640))
    policies = store()
    policies.get_or_create(77, warm_start=False).num_updates = 20
    policies.get_or_create(77, warm_start=False).num_episodes = 640
    for reward in (-40.0, -20.0):
        mine = Single(Config(workflow=ORDER, total_episodes=1280), found, ORDER)
        visit = mine.begin(policies, 640)
        assert visit is not None
        assert (visit.first_update, visit.first_episode, visit.budget) == (20, 640, 640)
        mine.finish(result(77), mine.evaluation(result(77), 0), [[worth(reward, 1.0)], [worth(reward, 1.0)]])
    assert [observed["env_reward"] for observed in found.state()["observations"]] == [-20.0]


@pytest.mark.parametrize(("compliance", "counts"), [(0.95, True), (0.94, False)])
def test_one_order_alone_counts_if_it_is_followed_in_the_end(compliance: float, counts: bool) -> None:
    config = Config(workflow=ORDER, total_episodes=640)
    found = search(config)
    mine = Single(config, found, ORDER)
    plan = mine.evaluation(result(), 0)
    verdict = mine.finish(result(), plan, [[worth(-20.0, compliance)], [worth(-15.0, 1.0)]])
    assert (verdict.result.reached_threshold, verdict.gp_updated) == (counts, counts)
    assert len(found.state()["observations"]) == int(counts)


def test_a_shared_policy_is_trained_in_rounds_of_whole_updates() -> None:
    config = Config(policy="shared", total_episodes=1001, episodes_per_update=32)
    mine = Shared(config, search(config))
    visit = mine.begin(store(), 1001)
    assert visit is not None
    assert visit.workflow_id == SHARED_POLICY
    assert mine.limits(visit).episodes_left == 128  # a tenth of the run, in whole updates
    num_visits = math.ceil(1001 / 128)
    assert num_visits <= NUM_ROUNDS


def test_the_orders_of_a_shared_policy_follow_from_the_update_alone() -> None:
    config = Config(policy="shared", total_episodes=1000)
    found = search(config)
    mine = Shared(config, found)
    first = Visit(0, SHARED_POLICY, math.nan, first_update=0, first_episode=0, budget=1000)
    later = Visit(1, SHARED_POLICY, math.nan, first_update=5, first_episode=160, budget=840)
    assert list(mine.orders(first, 5, 32)) == list(mine.orders(later, 0, 32))
    assert list(mine.orders(first, 0, 32)) != list(mine.orders(first, 1, 32))
    lots = seeding.generator(0, seeding.Stream.SHARED_ORDERS, 5)
    assert list(mine.orders(first, 5, 32)) == list(found.spread(32, lots))


@pytest.mark.parametrize(("remaining", "num_episodes", "greedy"), [(100, 20, (False,)), (0, 200, (False, True))])
def test_all_orders_are_evaluated_after_each_round(remaining: int, num_episodes: int, greedy: tuple[bool, ...]) -> None:
    config = Config(policy="shared")
    plan = Shared(config, search(config)).evaluation(result(SHARED_POLICY), remaining)
    assert plan is not None
    assert plan.workflow_ids == tuple(range(NUM_WORKFLOWS))
    assert (plan.num_episodes, plan.greedy) == (num_episodes, greedy)


def test_the_search_hears_of_the_orders_that_a_shared_policy_follows() -> None:
    config = Config(policy="shared")
    found = search(config)
    mine = Shared(config, found)
    plan = mine.evaluation(result(SHARED_POLICY), 100)
    worths = [[worth(-20.0 - i, 0.99 if i % 2 else 0.5) for i in range(NUM_WORKFLOWS)]]
    verdict = mine.finish(result(SHARED_POLICY, reason="cap"), plan, worths)
    assert verdict.gp_updated
    assert verdict.orders_evaluated is not None
    assert [each.mean for each in verdict.orders_evaluated.env_reward] == [-20.0 - i for i in range(NUM_WORKFLOWS)]
    evaluated = verdict.result
    assert evaluated.reason == "round"
    assert evaluated.env_reward.mean == pytest.approx(np.mean([-20.0 - i for i in range(NUM_WORKFLOWS)]), rel=1e-12)
    assert evaluated.env_reward.stderr == pytest.approx(1.5 / NUM_WORKFLOWS**0.5, rel=1e-12)  # rounding
    observed = [each["workflow_id"] for each in found.state()["observations"]]
    assert observed == [i for i in range(NUM_WORKFLOWS) if i % 2]


def test_nothing_is_followed_nothing_is_learned() -> None:
    config = Config(policy="shared")
    found = search(config)
    mine = Shared(config, found)
    plan = mine.evaluation(result(SHARED_POLICY), 100)
    worths = [[worth(-20.0, 0.5)] * NUM_WORKFLOWS]
    assert not mine.finish(result(SHARED_POLICY), plan, worths).gp_updated
    assert found.state()["observations"] == []


def test_visits_of_every_kind_survive_a_checkpoint() -> None:
    for config in (Config(), Config(workflow=ORDER), Config(policy="shared")):
        visit = curriculum(config, search(config)).begin(store(), 100)
        assert visit is not None
        assert Visit.from_json(visit.to_json()).to_json() == visit.to_json()
