from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, PAIRS
from pipeline.cage2.facts.orders import PRECEDENCES
from pipeline.types import Estimate, Score, WorkflowResult
from pipeline.workflows.report import MIN_OBSERVED
from pipeline.workflows.search import Search
from pipeline.workflows.status import Pick, Status

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.types import VisitEnd

CAP = 1000


def search(seed: int = 0, beta: float = 2.0) -> Search:
    return Search(seed=seed, beta=beta, max_episodes_per_workflow=CAP)


def result(
    workflow_id: int,
    reason: VisitEnd = "threshold",
    *,
    reached: bool | None = None,
    reward: float = -20.0,
    stderr: float = 1.0,
    num_episodes: int = 100,
) -> WorkflowResult:
    reached = reason == "threshold" if reached is None else reached
    score = Score(200, Estimate(reward, stderr), 0.97 if reached else 0.5, Estimate(reward + 2, stderr), 0.97)
    return WorkflowResult(workflow_id, score, num_episodes, reached_threshold=reached, reason=reason)


def observed(tried: Search) -> dict[int, float]:
    """The env reward that the search knows of each workflow."""
    return {each["workflow_id"]: each["env_reward"]["mean"] for each in tried.state()["observations"]}


def played(num_visits: int, seed: int = 0) -> Search:
    """A search some visits into a landscape that only the first host type matters to."""
    played_search = search(seed)
    for _ in range(num_visits):
        pick = played_search.next()
        assert pick is not None
        played_search.finish(result(pick.workflow_id, reward=-20.0 - pick.workflow_id // 24))
    return played_search


# What is believed


def test_the_most_promising_are_those_of_the_highest_mean_that_were_not_given_up() -> None:
    tried = played(12)
    believed = tried.posterior()
    assert believed is not None
    everybody = tried.promising(NUM_WORKFLOWS)
    assert [each.workflow_id for each in everybody] == sorted(
        range(NUM_WORKFLOWS), key=lambda w: (-believed.mean[w], w)
    )
    assert [(each.mean, each.std) for each in everybody] == [
        (believed.mean[each.workflow_id], believed.std[each.workflow_id]) for each in everybody
    ]
    assert {each.workflow_id for each in everybody if each.observed} == observed(tried).keys()
    assert tried.promising(3) == everybody[:3]
    given_up = everybody[0].workflow_id
    tried.finish(result(given_up, "cap"))
    assert given_up not in {each.workflow_id for each in tried.promising(NUM_WORKFLOWS)}


def test_too_few_observed_orders_promise_nothing() -> None:
    assert search().promising(5) == ()
    assert played(MIN_OBSERVED - 1).promising(5) == ()
    assert len(played(MIN_OBSERVED).promising(5)) == 5


# Picking


def test_the_first_pick_is_by_lot_and_has_no_score() -> None:
    picks = [search(seed).next() for seed in range(40)]
    assert all(pick is not None and pick.iteration == 0 and math.isnan(pick.ucb_score) for pick in picks)
    assert len({pick.workflow_id for pick in picks if pick is not None}) > 20


def test_a_pick_leaves_no_trace() -> None:
    state = (unasked := played(3)).state()
    asked = Search.from_state(state)
    picks = [asked.next() for _ in range(2)]
    assert picks[0] == picks[1] == unasked.next()
    assert asked.state() == state


def test_picks_after_the_first_go_by_score() -> None:
    pick = played(3).next()
    assert isinstance(pick, Pick)
    assert pick.iteration == 3
    assert math.isfinite(pick.ucb_score)


def test_while_nothing_is_observed_a_workflow_that_missed_is_gone_on_with() -> None:
    tried = search()
    first = tried.next()
    assert first is not None
    tried.finish(result(first.workflow_id, reached=False, num_episodes=100))
    again = tried.next()
    assert again is not None
    assert again.workflow_id == first.workflow_id
    tried.finish(result(first.workflow_id, "patience"))  # given up: another one, by lot
    other = tried.next()
    assert other is not None
    assert other.workflow_id != first.workflow_id


def test_a_search_is_a_function_of_its_seed_and_results() -> None:
    assert played(4, seed=1).state() == played(4, seed=1).state()
    assert played(4, seed=1).state() != played(4, seed=2).state()


def test_nobody_is_visited_again_before_all_are_observed() -> None:
    greedy = search(beta=0.0)
    for workflow_id in range(1, NUM_WORKFLOWS):
        greedy.finish(result(workflow_id, reward=-20.0 if workflow_id == 70 else -400.0, stderr=0.1, num_episodes=1))
    pick = greedy.next()
    assert pick is not None
    assert pick.workflow_id == 0
    greedy.finish(result(0, reached=False, num_episodes=1))  # it missed the threshold: it is trained on
    assert greedy.next() == Pick(NUM_WORKFLOWS, 0, pytest.approx(pick.ucb_score))
    greedy.finish(result(0, reward=-400.0, stderr=0.1, num_episodes=1))
    pick = greedy.next()
    assert pick is not None
    assert pick.workflow_id == 70


def test_what_is_under_way_is_not_picked_and_neither_is_what_is_like_it() -> None:
    tried = played(3)
    picks: list[Pick] = []
    for _ in range(6):
        pick = tried.next([other.workflow_id for other in picks])
        assert pick is not None
        picks.append(pick)
    assert len({pick.workflow_id for pick in picks}) == 6
    assert [pick.iteration for pick in picks] == [3, 4, 5, 6, 7, 8]  # as many as were picked before, so each once
    scores = [pick.ucb_score for pick in picks]
    assert scores == sorted(scores, reverse=True)
    assert picks[0] == tried.next()


def test_before_anything_is_observed_those_under_way_are_different_ones() -> None:
    tried, under_way = search(), [7, 8]
    pick = tried.next(under_way)
    assert pick is not None
    assert pick.iteration == 2
    assert pick.workflow_id not in under_way
    assert tried.next(range(NUM_WORKFLOWS)) is None


# What visits do


def test_only_what_reached_the_threshold_is_observed() -> None:
    tried = search()
    assert tried.finish(result(1, "threshold", reward=-30.0))
    assert not tried.finish(result(2, "cap", reward=-10.0))
    assert not tried.finish(result(3, "patience", reward=-10.0))
    assert not tried.finish(result(4, "budget", reward=-10.0))
    assert [tried.status(workflow_id) for workflow_id in range(5)] == [
        Status.UNDECIDED,
        Status.TRAINED,
        Status.RETIRED,
        Status.RETIRED,
        Status.UNDECIDED,
    ]
    assert observed(tried) == {1: -30.0}
    statistics = tried.statistics()
    assert (statistics.num_undecided, statistics.num_trained, statistics.num_retired) == (117, 1, 2)
    assert (statistics.iteration, statistics.num_candidates, statistics.num_observations) == (4, 118, 1)


@pytest.mark.parametrize(("reason", "status"), [("patience", Status.RETIRED), ("threshold", Status.UNDECIDED)])
def test_a_trained_workflow_that_misses_later_is_not_observed_any_more(reason: VisitEnd, status: Status) -> None:
    """Its policy is another one now, and what it was worth before says nothing of that."""
    tried = search()
    tried.finish(result(9, reward=-18.0))
    assert not tried.finish(result(9, reason, reached=False, reward=-500.0))
    assert tried.status(9) is status
    assert observed(tried) == {}
    assert tried.posterior() is None


def test_the_fresh_evaluation_decides_and_not_the_batch_that_ended_the_visit() -> None:
    tried = search()
    assert not tried.finish(result(9, "threshold", reached=False))
    assert (tried.status(9), observed(tried)) == (Status.UNDECIDED, {})  # it may be trained on
    assert tried.finish(result(9, "patience", reached=True, reward=-18.0))
    assert (tried.status(9), observed(tried)) == (Status.TRAINED, {9: -18.0})


def test_a_policy_is_worth_what_its_latest_evaluation_says() -> None:
    """Visited four times it goes from -60 to -18; another one, visited once, is at -30."""
    tried = search()
    for reward in (-60.0, -40.0, -25.0, -18.0):
        tried.finish(result(0, reward=reward))
    tried.finish(result(1, reward=-30.0))
    assert observed(tried) == {0: -18.0, 1: -30.0}
    best, report = tried.best(), tried.report()
    assert best is not None
    assert report is not None
    assert (best[0], best[1].env_reward.mean) == (0, -18.0)
    assert report.best == 0
    assert report.mean > -30 + 2 * report.std  # drawn a little towards the other, with but two orders to go by


def test_the_cap_counts_all_visits() -> None:
    tried = search()
    tried.finish(result(9, num_episodes=CAP - 1))
    assert tried.statistics().num_candidates == NUM_WORKFLOWS
    tried.finish(result(9, num_episodes=1))
    assert tried.status(9) is Status.TRAINED
    assert tried.statistics().num_candidates == NUM_WORKFLOWS - 1


def test_a_visit_cut_by_the_budget_counts_if_the_threshold_is_reached() -> None:
    tried = search()
    tried.finish(result(9, num_episodes=600))
    tried.finish(result(9, "budget", reached=True, reward=-15.0, num_episodes=300))
    assert tried.status(9) is Status.TRAINED
    assert observed(tried) == {9: -15.0}
    tried.finish(result(9, num_episodes=100))
    assert tried.statistics().num_candidates == NUM_WORKFLOWS - 1


@pytest.mark.parametrize("reason", ["cap", "threshold"])
def test_what_can_not_have_been_trained_is_refused(reason: str) -> None:
    tried = search()
    tried.finish(result(9, reason, num_episodes=CAP))
    state = tried.state()
    with pytest.raises(ValueError, match=r"workflow 9 can't have been trained.* 1000 of 1000 episodes"):
        tried.finish(result(9))
    assert tried.state() == state


def test_a_reward_that_is_no_number_is_refused_before_anything_changes() -> None:
    tried = search()
    state = tried.state()
    with pytest.raises(ValueError, match="can't be observed"):
        tried.finish(result(9, reward=math.nan))
    assert tried.state() == state


def test_when_none_is_left_the_search_is_over() -> None:
    tried = search()
    for workflow_id in range(NUM_WORKFLOWS):
        assert tried.next() is not None
        tried.finish(result(workflow_id, "patience"))
    assert tried.next() is None
    assert tried.report() is None


def test_the_last_one_left_is_picked_whatever_its_score() -> None:
    tried = search()
    tried.finish(result(0, reward=-900.0))
    for workflow_id in range(1, NUM_WORKFLOWS):
        tried.finish(result(workflow_id, "patience"))
    pick = tried.next()
    assert pick is not None
    assert pick.workflow_id == 0


# An evaluation of all workflows


def all_evaluated(tried: Search, compliant: npt.NDArray[np.bool_], reward: float = -20.0) -> None:
    tried.observe_all(
        [
            # what isn't followed is not looked at
            Score(200, Estimate(reward if follows else math.nan, 0.5), 0.97 if follows else 0.6)
            for follows in compliant
        ],
        threshold=0.95,
    )


ENTERPRISE_FIRST = PRECEDENCES[:, PAIRS.index((1, 4))] == 1


def test_an_evaluation_of_all_replaces_what_was_observed() -> None:
    tried = search()
    tried.finish(result(3, reward=-99.0))
    tried.finish(result(4, "patience"))
    all_evaluated(tried, ENTERPRISE_FIRST)
    assert observed(tried) == dict.fromkeys(np.flatnonzero(ENTERPRISE_FIRST).tolist(), -20.0)
    assert {visit["num_evaluated"] for visit in tried.state()["observations"]} == {200}
    assert [tried.status(w) for w in range(NUM_WORKFLOWS)] == [
        Status.TRAINED if followed else Status.RETIRED for followed in ENTERPRISE_FIRST
    ]
    all_evaluated(tried, ~ENTERPRISE_FIRST, reward=-30.0)  # what was retired may come back
    assert observed(tried) == dict.fromkeys(np.flatnonzero(~ENTERPRISE_FIRST).tolist(), -30.0)
    assert tried.statistics().iteration == 4


def test_an_evaluation_that_is_no_number_is_refused_before_anything_changes() -> None:
    tried = played(2)
    state = tried.state()
    with pytest.raises(ValueError, match="can't be observed"):
        all_evaluated(tried, ENTERPRISE_FIRST, reward=math.nan)
    assert tried.state() == state


def test_episodes_go_round_all_orders_at_first_and_later_more_to_the_best() -> None:
    tried = search()
    rng = np.random.default_rng(0)
    assert (np.bincount(tried.deal(240, rng)) == 2).all()
    all_evaluated(tried, ENTERPRISE_FIRST)
    counts = np.bincount(tried.deal(240, rng), minlength=NUM_WORKFLOWS)
    assert (counts[ENTERPRISE_FIRST] == 3).all()
    assert (counts[~ENTERPRISE_FIRST] == 1).all()


def test_when_no_order_is_followed_episodes_go_round_all() -> None:
    tried = search()
    all_evaluated(tried, np.zeros(NUM_WORKFLOWS, dtype=bool))
    assert tried.report() is None
    assert (np.bincount(tried.deal(240, np.random.default_rng(0))) == 2).all()


def test_a_resumed_search_deals_alike() -> None:
    tried = search()
    all_evaluated(tried, ENTERPRISE_FIRST)
    resumed = Search.from_state(json.loads(json.dumps(tried.state())))
    first, second = (one.deal(100, np.random.default_rng(3)) for one in (tried, resumed))
    assert np.array_equal(first, second)
    assert resumed.report() == tried.report()


# What is concluded


def test_what_is_believed_is_of_the_latest_observations() -> None:
    tried = search()
    assert tried.posterior() is None
    for change in (
        lambda: tried.finish(result(5, reward=-20.0)),
        lambda: tried.finish(result(7, reward=-30.0)),
        lambda: all_evaluated(tried, ENTERPRISE_FIRST),
    ):
        before = tried.posterior()
        change()
        after = tried.posterior()
        assert after is not None
        assert after is not before
        assert after is tried.posterior()
        assert after.observed == tuple(sorted(observed(tried)))


def test_a_report_tells_of_what_reached_the_threshold() -> None:
    tried = search()
    assert tried.report() is None
    for workflow_id, reward in [(50, -20.0), (3, -45.0), (99, -22.0)]:
        tried.finish(result(workflow_id, reward=reward, stderr=0.1))
    tried.finish(result(98, "patience", reward=-1.0))
    tried.finish(result(97, "budget", reward=-1.0))
    report = tried.report()
    assert report is not None
    assert report.num_observed == 3
    assert report.best == 50
    assert report.too_little
    assert report.within_one[98] == 0 < report.within_one[97]
    assert tried.report() == report


# The finals


def final(workflow_id: int, greedy: float, *, reached: bool = True) -> WorkflowResult:
    score = Score(1000, Estimate(greedy - 1, 0.3), 0.97 if reached else 0.9, Estimate(greedy, 0.3), 0.97)
    return WorkflowResult(workflow_id, score, 5000, reached_threshold=reached, reason="final")


def close_to_one_another() -> Search:
    tried = search()
    for workflow_id, reward in [(3, -20.5), (50, -20.0), (99, -20.2), (7, -60.0)]:
        tried.finish(result(workflow_id, reward=reward, stderr=0.5))
    return tried


def test_finals_are_between_the_best_and_what_can_not_be_told_from_it() -> None:
    tried = close_to_one_another()
    tried.hold_finals(10, 1000)
    assert tried.finals is not None
    assert sorted(tried.finals.left) == [3, 50, 99]
    report = tried.report()
    assert report is not None
    assert tried.finals.left[0] == report.best
    tried.hold_finals(2, 1000)
    assert len(tried.finals.left) == 2


def test_without_an_observed_order_there_are_no_finals() -> None:
    with pytest.raises(ValueError, match="go on searching"):
        search().hold_finals(2, 1000)


def test_finalists_are_next_and_the_winner_is_named() -> None:
    tried = close_to_one_another()
    tried.hold_finals(3, 1000)
    assert tried.finals is not None
    before = observed(tried)
    finalists = tried.finals.left
    visits = [*zip(finalists, (-15.0, -13.0, -14.0), strict=True), (finalists[1], -12.0)]
    for workflow_id, greedy in visits:
        pick = tried.next()
        assert pick is not None
        assert pick.workflow_id == workflow_id
        assert math.isnan(pick.ucb_score)
        assert not tried.finish(final(workflow_id, greedy))
    best = tried.best()
    assert best is not None
    assert (best[0], best[1].greedy_env_reward) == (finalists[1], Estimate(-12.0, 0.3))
    assert observed(tried) == before  # orders are compared by what they came to in the search
    assert tried.statistics().num_candidates == NUM_WORKFLOWS
    pick = tried.next()  # the finals are over: what is next is the search's
    assert pick is not None
    assert math.isfinite(pick.ucb_score)


def test_before_there_is_a_winner_one_is_named_that_is_not_in_training() -> None:
    tried = close_to_one_another()
    tried.hold_finals(2, 1000)
    assert tried.finals is not None
    first = tried.finals.left[0]
    best = tried.best()
    assert best is not None
    assert best[0] == first
    best = tried.best(under_way=[first])
    assert best is not None
    assert best[0] in {3, 50, 99} - {first}
    assert tried.best(under_way=observed(tried)) is None


def test_while_the_winner_is_trained_on_the_second_is_named() -> None:
    tried = close_to_one_another()
    tried.hold_finals(2, 1000)
    assert tried.finals is not None
    first, second = tried.finals.left
    tried.finish(final(first, -14.0))
    tried.finish(final(second, -15.0))
    named = [tried.best(under_way) for under_way in ([], [first])]
    assert [best and best[0] for best in named] == [first, second]


def test_finalists_may_be_trained_at_a_time_and_end_in_any_order() -> None:
    tried = close_to_one_another()
    tried.hold_finals(3, 1000)
    assert tried.finals is not None
    first, second, third = tried.finals.left
    picks = [tried.next(under_way) for under_way in ([], [first], [first, second], [first, second, third])]
    num = tried.statistics().iteration
    told = [pick and (pick.workflow_id, pick.iteration) for pick in picks]
    assert told == [(first, num), (second, num + 1), (third, num + 2), None]
    tried.finish(final(second, -14.0))
    assert tried.next([first, third]) is None
    tried.finish(final(third, -12.0))
    tried.finish(final(first, -13.0))
    best = tried.best()
    assert best is not None
    assert best[0] == third


def test_a_finalist_that_misses_the_threshold_counts_for_nothing() -> None:
    tried = close_to_one_another()
    tried.hold_finals(2, 1000)
    assert tried.finals is not None
    first, second = tried.finals.left
    tried.finish(final(first, -10.0, reached=False))
    assert first not in observed(tried)
    best = tried.best()
    assert best is not None
    assert best[0] != first
    tried.finish(final(second, -14.0))
    best = tried.best()
    assert best is not None
    assert best[0] == second


def test_who_won_before_is_in_the_next_finals() -> None:
    tried = close_to_one_another()
    tried.hold_finals(3, 1000)
    assert tried.finals is not None
    for workflow_id in [*tried.finals.left, 3]:
        tried.finish(final(workflow_id, -12.0 if workflow_id == 3 else -15.0))
    tried.hold_finals(2, 1000)
    assert tried.finals.left[0] == 3
    assert len(tried.finals.left) == 2


def test_finals_with_next_to_no_episodes_have_fewer_finalists() -> None:
    tried = close_to_one_another()
    for num_episodes, num_finalists in ((1, 1), (4, 2), (1000, 3)):
        tried.hold_finals(3, num_episodes)
        assert tried.finals is not None
        assert len(tried.finals.left) == num_finalists


def test_a_finalist_that_the_search_trains_on_is_judged_anew() -> None:
    tried = close_to_one_another()
    tried.hold_finals(1, 1000)
    assert tried.finals is not None
    (finalist,) = tried.finals.left
    tried.finish(final(finalist, -13.0))
    tried.finish(result(finalist, "cap"))
    best = tried.best()
    assert best is not None
    assert best[0] != finalist


def test_only_a_finalist_can_have_been_trained() -> None:
    tried = close_to_one_another()
    tried.hold_finals(2, 1000)
    state = tried.state()
    with pytest.raises(ValueError, match="workflow 7 can't have been trained: the finalists left are"):
        tried.finish(final(7, -12.0))
    assert tried.state() == state


def test_finals_survive_a_checkpoint() -> None:
    original = close_to_one_another()
    original.hold_finals(3, 1000)
    assert original.finals is not None
    original.finish(final(original.finals.left[0], -15.0))
    resumed = Search.from_state(json.loads(json.dumps(original.state())))
    assert resumed.state() == original.state()
    assert resumed.next() == original.next()
    assert resumed.best() == original.best()


# Checkpoints


def test_a_resumed_search_goes_on_as_it_would_have() -> None:
    original = played(3)
    original.finish(result(100, "cap", num_episodes=CAP))
    original.finish(result(101, "budget", num_episodes=7))
    original.finish(result(102, reward=-1 / 3, stderr=0.1 + 0.2))
    resumed = Search.from_state(json.loads(json.dumps(original.state())))
    assert resumed.state() == original.state()
    for _ in range(2):
        pick = original.next()
        assert pick is not None
        assert resumed.next() == pick
        for one in (original, resumed):
            one.finish(result(pick.workflow_id, reward=-25.0))
    assert resumed.state() == original.state()


def test_a_state_is_a_copy() -> None:
    original = played(2)
    state = original.state()
    frozen = json.dumps(state)
    original.finish(result(11))
    assert json.dumps(state) == frozen
    restored = Search.from_state(state)
    restored.finish(result(12))
    assert json.dumps(state) == frozen


@pytest.mark.parametrize("key", sorted(search().state()))
def test_an_incomplete_state_is_refused(key: str) -> None:
    state = search().state()
    del state[key]
    with pytest.raises(KeyError, match=key):
        Search.from_state(state)


class SearchMachine(RuleBasedStateMachine):
    """Any sequence of visits, against the rules written out longhand; saved and restored at any moment."""

    @initialize(seed=st.integers(0, 2**63 - 1))
    def begin(self, seed: int) -> None:
        self.search = search(seed)
        self.status = dict.fromkeys(range(NUM_WORKFLOWS), Status.UNDECIDED)
        self.episodes = dict.fromkeys(range(NUM_WORKFLOWS), 0)
        self.rewards: dict[int, float] = {}
        self.num_visits = 0

    def candidates(self) -> list[int]:
        return [w for w in self.status if self.status[w] is not Status.RETIRED and self.episodes[w] < CAP]

    @rule(
        data=st.data(),
        reason=st.sampled_from(["threshold", "cap", "patience", "budget"]),
        reached=st.booleans(),
        reward=st.floats(-1300, -12),
        num_episodes=st.integers(0, CAP),
    )
    def visit(self, data: Any, reason: VisitEnd, reached: bool, reward: float, num_episodes: int) -> None:
        # Few workflows, so that visits repeat.
        workflow_id = data.draw(st.sampled_from(self.candidates()[:6]))
        ended = result(workflow_id, reason, reached=reached, reward=reward, stderr=0.0, num_episodes=num_episodes)
        assert self.search.finish(ended) == reached
        self.rewards.pop(workflow_id, None)
        if reached:
            self.rewards[workflow_id] = reward
            self.status[workflow_id] = Status.TRAINED
        elif reason in ("cap", "patience"):
            self.status[workflow_id] = Status.RETIRED
        else:
            self.status[workflow_id] = Status.UNDECIDED
        self.episodes[workflow_id] += num_episodes
        self.num_visits += 1

    @rule()
    def restore(self) -> None:
        self.search = Search.from_state(json.loads(json.dumps(self.search.state())))

    @precondition(lambda self: not self.rewards)
    @rule()
    def pick_by_lot(self) -> None:
        pick = self.search.next()
        assert pick is not None
        assert pick.workflow_id in self.candidates()

    @invariant()
    def follows_the_rules(self) -> None:
        statistics = self.search.statistics()
        assert statistics.iteration == self.num_visits
        assert statistics.num_candidates == len(self.candidates())
        assert statistics.num_observations == len(self.rewards)
        assert {w: self.search.status(w) for w in self.status} == self.status
        assert observed(self.search) == self.rewards


SearchMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestSearchMachine = SearchMachine.TestCase
