"""What one policy for all is trained on; whole runs are in tests/determinism."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline import seeding
from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.config import Config
from pipeline.learn.learner import Update, VisitOutcome
from pipeline.learn.visit import Visit
from pipeline.policy.params import PLAIN, SHARED_POLICY
from pipeline.policy.store import PolicyStore
from pipeline.ppo.recipe import DEFAULT
from pipeline.run.shared import NUM_ROUNDS, Shared
from pipeline.types import Estimate, Score
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from pipeline.run.curriculum import Curriculum
    from pipeline.types import VisitEnd


def search(config: Config) -> Search:
    return Search(seed=config.seed, beta=config.gp_beta, max_episodes_per_workflow=config.episode_cap)


def store() -> PolicyStore:
    return PolicyStore(0, "uniform", PLAIN)


def score(mean: float, compliance: float, num: int = 200) -> Score:
    return Score(num, Estimate(mean, 1.5), compliance, Estimate(mean + 5, 1.5), compliance)


def sampled(mean: float, compliance: float) -> Score:
    return Score(20, Estimate(mean, 1.5), compliance)


def ended(last_update: Update, reason: VisitEnd = "budget", num_episodes: int = 64) -> VisitOutcome:
    return VisitOutcome(last_update, num_episodes, reason)


def begin(mine: Curriculum, remaining: int, policies: PolicyStore | None = None) -> Visit:
    visit = mine.begin(policies or store(), remaining)
    assert visit is not None
    return visit


def test_a_shared_policy_is_trained_in_rounds_of_whole_updates() -> None:
    config = Config(policy="shared", total_episodes=1001, episodes_per_update=32)
    mine = Shared(config, search(config), DEFAULT)
    visit = begin(mine, 1001)
    assert visit.workflow_id == SHARED_POLICY
    assert mine.limits(visit).episodes_left == 128  # a tenth of the run, in whole updates
    num_visits = math.ceil(1001 / 128)
    assert num_visits <= NUM_ROUNDS
    assert mine.schedule(visit).progress(1001) == 1


def test_the_orders_of_a_shared_policy_follow_from_the_update_alone() -> None:
    config = Config(policy="shared", total_episodes=1000)
    found = search(config)
    mine = Shared(config, found, DEFAULT)
    first = Visit(0, SHARED_POLICY, math.nan, first_update=0, first_episode=0, budget=1000)
    later = Visit(1, SHARED_POLICY, math.nan, first_update=5, first_episode=160, budget=840)
    assert list(mine.orders(first, 5, 32)) == list(mine.orders(later, 0, 32))
    assert list(mine.orders(first, 0, 32)) != list(mine.orders(first, 1, 32))
    lots = seeding.generator(0, seeding.Stream.SHARED_ORDERS, 5)
    assert list(mine.orders(first, 5, 32)) == list(found.deal(32, lots))


@pytest.mark.parametrize(("num_trained", "num_episodes", "greedy_too"), [(900, 20, False), (1000, 200, True)])
def test_all_orders_are_evaluated_after_each_round(num_trained: int, num_episodes: int, greedy_too: bool) -> None:
    config = Config(policy="shared")
    mine = Shared(config, search(config), DEFAULT)
    plan = mine.evaluation_plan(begin(mine, 1000), num_trained)
    assert plan.workflow_ids == tuple(range(NUM_WORKFLOWS))
    assert (plan.num_episodes, plan.greedy_too) == (num_episodes, greedy_too)


def test_the_search_hears_of_the_orders_that_a_shared_policy_follows(last_update: Update) -> None:
    config = Config(policy="shared")
    found = search(config)
    mine = Shared(config, found, DEFAULT)
    visit = begin(mine, 10_000)
    scores = [sampled(-20.0 - i, 0.99 if i % 2 else 0.5) for i in range(NUM_WORKFLOWS)]
    verdict = mine.finish(visit, ended(last_update, "cap", 1000), scores)
    assert verdict.gp_updated
    assert verdict.orders_evaluated is not None
    assert [each.mean for each in verdict.orders_evaluated.env_reward] == [-20.0 - i for i in range(NUM_WORKFLOWS)]
    mean = verdict.result.score
    assert verdict.result.reason == "round"
    assert mean.env_reward.mean == pytest.approx(np.mean([-20.0 - i for i in range(NUM_WORKFLOWS)]), rel=1e-12)
    assert mean.env_reward.stderr == pytest.approx(1.5 / NUM_WORKFLOWS**0.5, rel=1e-12)  # rounding
    assert (mean.num_evaluated, mean.greedy_env_reward) == (20 * NUM_WORKFLOWS, None)
    observed = [each["workflow_id"] for each in found.state()["observations"]]
    assert observed == [i for i in range(NUM_WORKFLOWS) if i % 2]


def test_the_last_round_is_scored_without_sampling_too(last_update: Update) -> None:
    config = Config(policy="shared", total_episodes=1000)
    mine = Shared(config, search(config), DEFAULT)
    visit = begin(mine, 100)
    verdict = mine.finish(visit, ended(last_update, "budget", 100), [score(-20.0, 0.97)] * NUM_WORKFLOWS)
    assert verdict.result.reason == "budget"
    assert verdict.result.score.greedy_env_reward is not None
    assert verdict.result.score.greedy_env_reward.mean == pytest.approx(-15.0)
    assert verdict.result.score.greedy_compliance == pytest.approx(0.97)


def test_nothing_is_followed_nothing_is_learned(last_update: Update) -> None:
    config = Config(policy="shared")
    found = search(config)
    mine = Shared(config, found, DEFAULT)
    verdict = mine.finish(begin(mine, 10_000), ended(last_update, "cap"), [sampled(-20.0, 0.5)] * NUM_WORKFLOWS)
    assert not verdict.gp_updated
    assert found.state()["observations"] == []
