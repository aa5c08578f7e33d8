"""What is trained next in a search, in its finals, and alone; whole runs are in tests/determinism."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from pipeline.cage2.facts.order_names import order_name
from pipeline.config import MAX_EVALUATION_EPISODES, Config
from pipeline.learn.learner import Update, VisitOutcome
from pipeline.learn.visit import Visit
from pipeline.policy.params import PLAIN
from pipeline.policy.store import PolicyStore
from pipeline.ppo.recipe import DEFAULT, THOROUGH
from pipeline.run.parts import curriculum
from pipeline.run.searched import AFRESH_EPISODES, FINAL_EVALUATIONS, Single
from pipeline.types import Estimate, Score, WorkflowResult
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from pipeline.run.curriculum import Curriculum
    from pipeline.types import VisitEnd

ORDER = order_name(77)


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


@pytest.mark.parametrize(
    ("options", "kind"),
    [({}, "Searched"), ({"workflow": ORDER}, "Single"), ({"policy": "shared"}, "Shared")],
    ids=str,
)
def test_a_configuration_says_which(options: dict[str, Any], kind: str) -> None:
    config = Config(**options)
    assert type(curriculum(config, search(config), DEFAULT)).__name__ == kind


# The search


def test_the_search_learns_of_the_evaluation(last_update: Update) -> None:
    config = Config(total_episodes=1000, max_episodes_per_workflow=500, evaluation_episodes=30)
    found = search(config)
    mine = curriculum(config, found, DEFAULT)
    visit = begin(mine, 1000)
    plan = mine.evaluation_plan(visit, 100)
    assert (plan.workflow_ids, plan.num_episodes, plan.greedy_too) == ((visit.workflow_id,), 30, True)
    verdict = mine.finish(visit, ended(last_update, "threshold"), [score(-20.0, 0.96)])
    assert verdict.gp_updated
    assert verdict.orders_evaluated is None
    assert verdict.result.score == score(-20.0, 0.96)
    assert (verdict.result.reason, verdict.result.num_episodes) == ("threshold", 64)
    (observed,) = found.state()["observations"]
    assert (observed["workflow_id"], observed["env_reward"]) == (visit.workflow_id, {"mean": -20.0, "stderr": 1.5})


@pytest.mark.parametrize("reason", ["threshold", "cap", "patience", "budget"])
@pytest.mark.parametrize(("compliance", "reached"), [(0.95, True), (0.949, False)])
def test_the_fresh_evaluation_alone_decides_whether_a_workflow_is_learned(
    reason: VisitEnd, compliance: float, reached: bool, last_update: Update
) -> None:
    config = Config()
    found = search(config)
    mine = curriculum(config, found, DEFAULT)
    verdict = mine.finish(begin(mine, 100_000), ended(last_update, reason), [score(-20.0, compliance)])
    assert (verdict.result.reached_threshold, verdict.gp_updated) == (reached, reached)
    assert len(found.state()["observations"]) == int(reached)


# The finals


def observe(found: Search, mine: Curriculum, last_update: Update, rewards: list[float]) -> list[int]:
    """Visit as many workflows as there are rewards; return which."""
    visits = []
    for reward in rewards:
        visit = begin(mine, 100_000)
        mine.finish(visit, ended(last_update, "threshold"), [score(reward, 0.97)])
        visits.append(visit.workflow_id)
    return visits


def test_the_search_leaves_the_finals_their_episodes(last_update: Update) -> None:
    config = Config(total_episodes=100_000, finals_share=0.6, finalists=2)
    mine = curriculum(config, search(config), DEFAULT)
    assert begin(mine, 61_000).budget == 1000
    assert begin(mine, 60_000).budget == 60_000  # nothing is observed yet, and so there is nothing to leave them for
    observe(search(config), mine, last_update, [-20.0, -20.1, -20.2])
    assert begin(mine, 61_000).budget == 1000
    first = begin(mine, 60_000)
    assert (first.part, first.budget) == ("finals", 15_000)
    mine.finish(first, ended(last_update, "budget", 15_000), [score(-14.0, 0.97, 1000)])
    second = begin(mine, 45_000)
    assert (second.part, second.budget) == ("finals", 15_000)
    assert second.workflow_id != first.workflow_id
    verdict = mine.finish(second, ended(last_update, "budget", 15_000), [score(-15.0, 0.97, 1000)])
    assert (verdict.result.reason, verdict.result.reached_threshold, verdict.gp_updated) == ("final", True, False)
    winner = begin(mine, 30_000)
    assert (winner.part, winner.budget, winner.workflow_id) == ("finals", 30_000, first.workflow_id)
    mine.finish(winner, ended(last_update, "budget", 30_000), [score(-13.0, 0.97, 1000)])
    assert mine.begin(store(), 0) is None


def test_workflows_are_visited_on_equal_terms() -> None:
    config = Config(episodes_per_visit=2000, max_episodes_per_workflow=10_000)
    found = search(config)
    mine = curriculum(config, found, DEFAULT)
    visit = begin(mine, 100_000)
    limits, schedule = mine.limits(visit), mine.schedule(visit)
    early = replace(visit, num_updates=31, num_episodes=1984, judged=((64, 1.0),))
    assert limits.reason_to_stop(early) is None
    assert limits.reason_to_stop(replace(early, num_episodes=2048)) == "threshold"
    assert limits.reason_to_stop(replace(early, num_episodes=2048, judged=((64, 0.9),))) is None
    assert (schedule.progress(0), schedule.progress(1000), schedule.progress(3000)) == (0.0, 0.5, 1.0)
    found.finish(WorkflowResult(visit.workflow_id, score(-20.0, 0.9), 2048, reached_threshold=False, reason="budget"))
    again = replace(visit, first_episode=2048)
    assert (mine.limits(again).min_episodes, mine.limits(again).episodes_left) == (2000, 7952)
    assert mine.schedule(again).progress(3048) == 0.5


@pytest.mark.parametrize("num_episodes", [AFRESH_EPISODES - 1, AFRESH_EPISODES])
def test_finalists_with_enough_episodes_are_trained_from_the_beginning(num_episodes: int, last_update: Update) -> None:
    config = Config(total_episodes=2 * AFRESH_EPISODES, finals_share=0.5)
    found, policies = search(config), store()
    mine = curriculum(config, found, DEFAULT)
    (workflow_id,) = observe(found, mine, last_update, [-20.0])
    trained, fresh = policies.get_or_create(workflow_id, warm_start=False), store().get_or_create(workflow_id, False)
    trained.network = fresh.network.copy_to("cpu")
    with torch.no_grad():
        next(trained.network.parameters()).add_(1)
    trained.num_updates, trained.num_episodes = 8, 500
    visit = begin(mine, num_episodes, policies)
    begins_anew = num_episodes == AFRESH_EPISODES
    assert mine.schedule(visit).recipe == (THOROUGH if begins_anew else DEFAULT)
    assert (visit.workflow_id, visit.first_update, visit.first_episode) == (workflow_id, 8, 500)
    weights = policies.get_or_create(workflow_id, warm_start=False).network.actor_weights()
    expected = (fresh if begins_anew else trained).network.actor_weights()
    assert np.array_equal(weights, expected)


def test_a_finalist_is_trained_with_its_share_and_nothing_ends_it_before(last_update: Update) -> None:
    config = Config(total_episodes=100_000, finals_share=0.6, finalists=2, evaluation_episodes=200)
    found, policies = search(config), store()
    mine = curriculum(config, found, DEFAULT)
    for workflow_id in observe(found, mine, last_update, [-20.0, -20.1]):
        policies.get_or_create(workflow_id, warm_start=False).num_episodes = 9000
    visit = begin(mine, 60_000, policies)
    limits = mine.limits(visit)
    late = replace(visit, num_updates=900, num_episodes=14_999, judged=((32, 1.0),))
    assert limits.reason_to_stop(late) is None
    assert limits.episodes_left == 15_000
    heat = mine.schedule(visit)  # annealed anew, over all that the winner has
    assert (heat.progress(9000), heat.progress(9000 + 22_500), heat.progress(9000 + 45_000)) == (0.0, 0.5, 1.0)
    assert heat.recipe.learning_rate == DEFAULT.learning_rate
    assert heat.recipe.final_learning_rate < DEFAULT.final_learning_rate
    assert mine.evaluation_plan(visit, 15_000).num_episodes == FINAL_EVALUATIONS * 200
    mine.finish(visit, ended(last_update, "budget", 15_000), [score(-14.0, 0.97, 1000)])
    policies.get_or_create(visit.workflow_id, warm_start=False).num_episodes = 24_000
    mine.finish(begin(mine, 45_000, policies), ended(last_update, "budget", 15_000), [score(-15.0, 0.97, 1000)])
    winner = begin(mine, 30_000, policies)
    assert (winner.workflow_id, winner.first_episode) == (visit.workflow_id, 24_000)
    assert mine.schedule(winner) == heat  # and goes on where its heat ended


def test_what_the_winner_learned_in_its_heat_stays(last_update: Update) -> None:
    config = Config(total_episodes=100_000, finalists=2)
    found, policies = search(config), store()
    mine = curriculum(config, found, DEFAULT)
    for workflow_id in observe(found, mine, last_update, [-20.0, -20.1]):
        policies.get_or_create(workflow_id, warm_start=False)
    heats = [begin(mine, 70_000, policies)]
    mine.finish(heats[0], ended(last_update, "budget", 17_500), [score(-14.0, 0.97, 1000)])
    heats.append(begin(mine, 52_500, policies))
    mine.finish(heats[1], ended(last_update, "budget", 17_500), [score(-13.0, 0.97, 1000)])
    trained = policies.get_or_create(heats[1].workflow_id, warm_start=False)
    assert begin(mine, 35_000, policies).workflow_id == heats[1].workflow_id
    assert policies.get_or_create(heats[1].workflow_id, warm_start=False) is trained


def test_an_evaluation_is_never_longer_than_its_seeds_allow() -> None:
    config = Config(evaluation_episodes=MAX_EVALUATION_EPISODES)
    visit = Visit(3, 7, math.nan, 100, 9000, 30_000, "finals")
    assert curriculum(config, search(config), DEFAULT).evaluation_plan(visit, 0).num_episodes == MAX_EVALUATION_EPISODES


def test_while_nothing_is_observed_the_search_goes_on(last_update: Update) -> None:
    config = Config(total_episodes=1000, finals_share=0.5)
    mine = curriculum(config, search(config), DEFAULT)
    visit = begin(mine, 500)
    assert (visit.part, visit.budget) == ("search", 500)
    mine.finish(visit, ended(last_update, "patience"), [score(-90.0, 0.5)])
    assert begin(mine, 200).part == "search"


def test_without_a_share_there_are_no_finals(last_update: Update) -> None:
    config = Config(total_episodes=1000, finals_share=0)
    mine = curriculum(config, search(config), DEFAULT)
    observe(search(config), mine, last_update, [-20.0])
    assert begin(mine, 1).part == "search"


def test_a_run_with_a_larger_budget_searches_on_and_holds_finals_again(last_update: Update) -> None:
    config = Config(total_episodes=1000, finals_share=0.5, finalists=1)
    found = search(config)
    mine = curriculum(config, found, DEFAULT)
    observe(found, mine, last_update, [-20.0])
    champion = begin(mine, 500)
    mine.finish(champion, ended(last_update, "budget", 500), [score(-14.0, 0.97, 1000)])
    larger = curriculum(Config(total_episodes=4000, finals_share=0.5, finalists=1), found, DEFAULT)
    assert (begin(larger, 3000).part, begin(larger, 3000).budget) == ("search", 1000)
    again = begin(larger, 2000)
    assert (again.part, again.workflow_id, again.budget) == ("finals", champion.workflow_id, 2000)


def test_who_won_before_goes_on_with_what_it_has_learned(last_update: Update) -> None:
    config = Config(total_episodes=100_000, finalists=2)
    found, policies = search(config), store()
    for workflow_id in observe(found, curriculum(config, found, DEFAULT), last_update, [-20.0, -20.1]):
        policies.get_or_create(workflow_id, warm_start=False)
    mine = curriculum(config, found, DEFAULT)
    for remaining in (70_000, 52_500, 35_000):
        visit = begin(mine, remaining, policies)
        mine.finish(visit, ended(last_update, "budget", visit.budget), [score(-14.0, 0.97, 1000)])
    assert found.finals is not None
    champion = found.finals.ranking[0][0]
    before = {w: policies.get_or_create(w, warm_start=False) for w in policies.ids()}
    larger = curriculum(Config(total_episodes=200_000, finalists=2), found, DEFAULT)
    again = begin(larger, 100_000, policies)
    assert (again.part, again.workflow_id) == ("finals", champion)
    assert policies.get_or_create(champion, warm_start=False) is before[champion]
    mine.finish(again, ended(last_update, "budget", again.budget), [score(-14.0, 0.97, 1000)])
    rival = begin(larger, 75_000, policies)
    assert rival.workflow_id != champion
    assert policies.get_or_create(rival.workflow_id, warm_start=False) is not before[rival.workflow_id]


# One workflow


def test_one_order_alone_has_the_whole_run() -> None:
    config = Config(workflow=ORDER, total_episodes=50_000, max_episodes_per_workflow=100)
    assert config.episode_cap == 50_000
    mine = Single(config, search(config), DEFAULT, ORDER)
    visit = begin(mine, 50_000)
    assert (visit.workflow_id, visit.budget, visit.first_episode) == (77, 50_000, 0)
    assert math.isnan(visit.ucb_score)
    limits = mine.limits(visit)
    late = Visit(
        0, 77, math.nan, 0, 0, 50_000, num_updates=999, num_episodes=49_999, updates_since_best=998, judged=((32, 1.0),)
    )
    assert limits.reason_to_stop(late) is None  # neither the threshold nor patience
    assert limits.episodes_left == 50_000
    assert mine.orders(visit, 3, 4) == (77,) * 4
    assert mine.schedule(visit).progress(25_000) == 0.5


def test_one_order_alone_goes_on_with_its_policy_and_counts_as_it_is_then(last_update: Update) -> None:
    """When a larger budget was given."""
    config = Config(workflow=ORDER, total_episodes=1280)
    found, policies = search(config), store()
    policies.get_or_create(77, warm_start=False).num_updates = 20
    policies.get_or_create(77, warm_start=False).num_episodes = 640
    for reward in (-40.0, -20.0):
        mine = Single(config, found, DEFAULT, ORDER)
        visit = begin(mine, 640, policies)
        assert (visit.first_update, visit.first_episode, visit.budget) == (20, 640, 640)
        mine.finish(visit, ended(last_update), [score(reward, 1.0)])
    assert [observed["env_reward"]["mean"] for observed in found.state()["observations"]] == [-20.0]


@pytest.mark.parametrize(("compliance", "counts"), [(0.95, True), (0.94, False)])
def test_one_order_alone_counts_if_it_is_followed_in_the_end(
    compliance: float, counts: bool, last_update: Update
) -> None:
    config = Config(workflow=ORDER, total_episodes=640)
    found = search(config)
    mine = Single(config, found, DEFAULT, ORDER)
    verdict = mine.finish(begin(mine, 640), ended(last_update), [score(-20.0, compliance)])
    assert (verdict.result.reached_threshold, verdict.gp_updated) == (counts, counts)
    assert len(found.state()["observations"]) == int(counts)


def test_visits_of_every_kind_survive_a_checkpoint() -> None:
    for config in (Config(), Config(workflow=ORDER), Config(policy="shared")):
        visit = begin(curriculum(config, search(config), DEFAULT), 100)
        assert Visit.from_json(visit.to_json()).to_json() == visit.to_json()


# Several at a time


def several(
    mine: Curriculum,
    remaining: int,
    num: int,
    under_way: list[Visit] | None = None,
    policies: PolicyStore | None = None,
) -> list[Visit]:
    """Let as many visits begin as may, in the order of their places."""
    visits: list[Visit] = []
    for place in range(num):
        visit = mine.begin(policies or store(), remaining, [*(under_way or []), *visits], num - place)
        if visit is None:
            break
        visits.append(visit)
    return visits


def test_visits_at_a_time_share_what_the_search_has_left(last_update: Update) -> None:
    config = Config(total_episodes=1000, finals_share=0.5, concurrent_visits=4)
    mine = curriculum(config, search(config), DEFAULT)
    visits = several(mine, 1000, 4)
    assert [visit.budget for visit in visits] == [125] * 4
    assert len({visit.workflow_id for visit in visits}) == 4
    assert [visit.iteration for visit in visits] == [0, 1, 2, 3]
    first, *others = (replace(visit, num_episodes=64) for visit in visits)
    mine.finish(first, ended(last_update, "threshold"), [score(-20.0, 0.97)])
    (again,) = several(mine, 1000 - 4 * 64, 1, others)
    assert again.budget == 125 - 64  # what the first left; the others keep theirs
    assert again.workflow_id not in {visit.workflow_id for visit in visits}


def test_the_finals_wait_for_all_visits_of_the_search(last_update: Update) -> None:
    config = Config(total_episodes=1000, finals_share=0.5, finalists=2, concurrent_visits=2)
    mine = curriculum(config, search(config), DEFAULT)
    first, second = (replace(visit, num_episodes=249) for visit in several(mine, 1000, 2))
    mine.finish(replace(first, num_episodes=250), ended(last_update, "budget", 250), [score(-20.0, 0.97)])
    assert several(mine, 501, 1, [second]) == []
    mine.finish(replace(second, num_episodes=250), ended(last_update, "budget", 250), [score(-20.1, 0.97)])
    finalists = several(mine, 500, 2)
    assert [(visit.part, visit.budget) for visit in finalists] == [("finals", 125)] * 2
    assert {visit.workflow_id for visit in finalists} == {first.workflow_id, second.workflow_id}
    assert several(mine, 300, 1, finalists) == []  # the other half waits for the winner


def test_no_more_visits_begin_than_have_enough_to_learn_from() -> None:
    config = Config(total_episodes=100_000, concurrent_visits=4)
    mine = curriculum(config, search(config), DEFAULT)
    assert config.visit_episodes == 1875
    for left, budgets in ((300, [300]), (2500, [2500]), (3700, [1850, 1850]), (7500, [1875] * 4)):
        assert [visit.budget for visit in several(mine, left + 70_000, 4)] == budgets


@pytest.mark.parametrize("num_places", [1, 2, 4])
def test_a_finalist_for_whom_nothing_is_left_does_not_begin(num_places: int, last_update: Update) -> None:
    config = Config(total_episodes=1000, finals_share=0.5, finalists=3, concurrent_visits=num_places)
    mine = curriculum(config, search(config), DEFAULT)
    observe(search(config), mine, last_update, [-20.0, -20.1, -20.2])
    assert [visit.budget for visit in several(mine, 1, num_places)] == [1]
    assert sum(visit.budget for visit in several(mine, 2, num_places)) <= 2
    assert several(mine, 0, num_places) == []


def test_what_a_finalist_was_trained_for_is_not_what_the_search_may_use(last_update: Update) -> None:
    config = Config(total_episodes=1000, finals_share=0.5, finalists=1, max_episodes_per_workflow=100)
    found = search(config)
    mine = curriculum(config, found, DEFAULT)
    (workflow_id,) = observe(found, mine, last_update, [-20.0])
    mine.finish(begin(mine, 500), ended(last_update, "budget", 500), [score(-14.0, 0.5, 1000)])  # it missed
    visit = Visit(2, workflow_id, math.nan, first_update=9, first_episode=564, budget=500)
    assert mine.limits(visit).episodes_left == 100 - 64


def test_when_the_searchs_episodes_are_used_up_and_nothing_is_observed_it_goes_on(last_update: Update) -> None:
    config = Config(total_episodes=1000, finals_share=0.5, concurrent_visits=4)
    mine = curriculum(config, search(config), DEFAULT)
    for visit in several(mine, 1000, 4):
        mine.finish(visit, ended(last_update, "budget", 125), [score(-90.0, 0.5)])
    visits = several(mine, 500, 4)
    assert [(visit.part, visit.budget) for visit in visits] == [("search", 125)] * 4
    mine.finish(visits[0], ended(last_update, "threshold", 64), [score(-20.0, 0.97)])
    assert several(mine, 436, 1, visits[1:]) == []  # from here on what is left is the finals'


@pytest.mark.parametrize("options", [{"workflow": ORDER}, {"policy": "shared"}], ids=str)
def test_what_trains_one_policy_has_one_visit_at_a_time(options: dict[str, Any]) -> None:
    config = Config(**options)
    assert len(several(curriculum(config, search(config), DEFAULT), 1000, 3)) == 1


def test_a_warm_start_is_from_nobody_in_training(last_update: Update) -> None:
    config = Config(total_episodes=1000, warm_start=True, concurrent_visits=2)
    policies = store()
    mine = curriculum(config, search(config), DEFAULT)
    first = mine.begin(policies, 1000, [], 2)
    assert first is not None
    trained = policies.get_or_create(first.workflow_id, warm_start=False)
    trained.num_updates = 8
    with torch.no_grad():
        next(trained.network.parameters()).add_(1)
    (second,) = several(mine, 1000, 1, [first], policies)
    fresh = store().get_or_create(second.workflow_id, warm_start=False).network.actor_weights()
    assert np.array_equal(policies.get_or_create(second.workflow_id, False).network.actor_weights(), fresh)
    mine.finish(first, ended(last_update, "threshold"), [score(-20.0, 0.97)])
    third = mine.begin(policies, 1000, [replace(second, budget=100)], 1)
    assert third is not None
    warm = policies.get_or_create(third.workflow_id, warm_start=False).network.actor_weights()
    assert np.array_equal(warm, trained.network.actor_weights())
