from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.cage2.facts.orders import NUM_WORKFLOWS, PAIRS, PRECEDENCES
from pipeline.types import Estimate, WorkflowResult
from pipeline.workflows.search import Pick, Search, Status

if TYPE_CHECKING:
    import numpy.typing as npt

CAP = 1000


def search(seed: int = 0, beta: float = 2.0) -> Search:
    return Search(seed=seed, beta=beta, max_episodes_per_workflow=CAP)


def result(
    workflow_id: int,
    reason: str = "threshold",
    *,
    reward: float = -20.0,
    stderr: float = 1.0,
    num_episodes: int = 100,
) -> WorkflowResult:
    return WorkflowResult(
        workflow_id=workflow_id,
        env_reward=Estimate(reward, stderr),
        compliance=0.97 if reason == "threshold" else 0.5,
        num_episodes=num_episodes,
        reached_threshold=reason == "threshold",
        reason=reason,
    )


def observed(tried: Search) -> dict[int, list[float]]:
    """The env rewards that the search knows of each workflow."""
    rewards: dict[int, list[float]] = {}
    for visit in tried.state()["observations"]:
        rewards.setdefault(visit["workflow_id"], []).append(visit["env_reward"])
    return rewards


def test_what_is_forgotten_was_never_observed() -> None:
    tried = search()
    for workflow_id, reward in ((7, -30.0), (9, -25.0), (7, -20.0)):
        tried.finish(result(workflow_id, reward=reward))
    before = tried.posterior()
    tried.forget(11)
    assert tried.posterior() is before
    tried.forget(7)
    assert observed(tried) == {9: [-25.0]}
    assert tried.posterior() is not before


def played(num_visits: int, seed: int = 0) -> Search:
    """A search some visits into a landscape that only the first host type matters to."""
    played_search = search(seed)
    for _ in range(num_visits):
        pick = played_search.next()
        assert pick is not None
        played_search.finish(result(pick.workflow_id, reward=-20.0 - pick.workflow_id // 24))
    return played_search


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


def test_a_search_is_a_function_of_its_seed_and_results() -> None:
    assert played(4, seed=1).state() == played(4, seed=1).state()
    assert played(4, seed=1).state() != played(4, seed=2).state()


def test_a_workflow_that_is_best_and_known_is_picked_again_when_nothing_is_explored() -> None:
    greedy = search(beta=0.0)
    for workflow_id in range(NUM_WORKFLOWS):
        greedy.finish(result(workflow_id, reward=-20.0 if workflow_id == 70 else -400.0, stderr=0.1))
    pick = greedy.next()
    assert pick is not None
    assert pick.workflow_id == 70


def test_after_a_visit_that_repeats_comes_one_that_does_not() -> None:
    greedy = search(beta=0.0)
    for workflow_id in range(100):
        greedy.finish(result(workflow_id, reward=-20.0 if workflow_id == 70 else -400.0, stderr=0.1, num_episodes=1))
    picks = []
    for _ in range(4):
        pick = greedy.next()
        assert pick is not None
        picks.append(pick.workflow_id)
        reward = -20.0 if pick.workflow_id == 70 else -400.0
        greedy.finish(result(pick.workflow_id, reward=reward, stderr=0.1, num_episodes=1))
    assert picks[0] == picks[2] == 70
    assert min(picks[1], picks[3]) >= 100


def test_when_all_were_observed_visits_repeat() -> None:
    greedy = search(beta=0.0)
    for workflow_id in [*range(NUM_WORKFLOWS), 0]:
        greedy.finish(result(workflow_id, reward=-20.0 if workflow_id == 70 else -400.0, stderr=0.1, num_episodes=1))
    pick = greedy.next()
    assert pick is not None
    assert pick.workflow_id == 70


# What visits do


def test_only_what_reached_the_threshold_is_observed() -> None:
    tried = search()
    assert tried.finish(result(1, "threshold", reward=-30.0))
    assert not tried.finish(result(2, "cap", reward=-10.0))
    assert not tried.finish(result(3, "patience", reward=-10.0))
    assert not tried.finish(result(4, "budget", reward=-10.0))
    assert [tried.status(workflow_id) for workflow_id in range(5)] == [
        Status.UNTRIED,
        Status.TRAINED,
        Status.RETIRED,
        Status.RETIRED,
        Status.UNTRIED,
    ]
    assert observed(tried) == {1: [-30.0]}
    statistics = tried.statistics()
    assert (statistics.num_untried, statistics.num_trained, statistics.num_retired) == (117, 1, 2)
    assert (statistics.iteration, statistics.num_candidates, statistics.num_observations) == (4, 118, 1)


def test_a_trained_workflow_that_misses_later_is_retired_but_not_forgotten() -> None:
    tried = search()
    tried.finish(result(9, reward=-18.0))
    tried.finish(result(9, "patience", reward=-500.0))
    assert tried.status(9) is Status.RETIRED
    assert observed(tried) == {9: [-18.0]}


def test_the_cap_counts_all_visits() -> None:
    tried = search()
    tried.finish(result(9, num_episodes=CAP - 1))
    assert tried.statistics().num_candidates == NUM_WORKFLOWS
    tried.finish(result(9, num_episodes=1))
    assert tried.status(9) is Status.TRAINED
    assert tried.statistics().num_candidates == NUM_WORKFLOWS - 1


def test_a_visit_cut_by_the_budget_counts_its_episodes_only() -> None:
    tried = search()
    tried.finish(result(9, num_episodes=600))
    tried.finish(result(9, "budget", reward=-1.0, num_episodes=300))
    assert tried.status(9) is Status.TRAINED
    assert observed(tried) == {9: [-20.0]}
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
    means = np.where(compliant, reward, np.nan)  # what isn't followed is not looked at
    tried.observe_all(means, np.full(NUM_WORKFLOWS, 0.5), np.where(compliant, 0.97, 0.6), 0.95, num_episodes=200)


ENTERPRISE_FIRST = PRECEDENCES[:, PAIRS.index((1, 4))] == 1


def test_an_evaluation_of_all_replaces_what_was_observed() -> None:
    tried = search()
    tried.finish(result(3, reward=-99.0))
    tried.finish(result(4, "patience"))
    all_evaluated(tried, ENTERPRISE_FIRST)
    assert observed(tried) == {w: [-20.0] for w in np.flatnonzero(ENTERPRISE_FIRST).tolist()}
    assert {visit["num_episodes"] for visit in tried.state()["observations"]} == {200}
    assert [tried.status(w) for w in range(NUM_WORKFLOWS)] == [
        Status.TRAINED if followed else Status.RETIRED for followed in ENTERPRISE_FIRST
    ]
    all_evaluated(tried, ~ENTERPRISE_FIRST, reward=-30.0)  # what was retired may come back
    assert observed(tried) == {w: [-30.0] for w in np.flatnonzero(~ENTERPRISE_FIRST).tolist()}
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
    assert (np.bincount(tried.spread(240, rng)) == 2).all()
    all_evaluated(tried, ENTERPRISE_FIRST)
    counts = np.bincount(tried.spread(240, rng), minlength=NUM_WORKFLOWS)
    assert (counts[ENTERPRISE_FIRST] == 3).all()
    assert (counts[~ENTERPRISE_FIRST] == 1).all()


def test_when_no_order_is_followed_episodes_go_round_all() -> None:
    tried = search()
    all_evaluated(tried, np.zeros(NUM_WORKFLOWS, dtype=bool))
    assert tried.report() is None
    assert (np.bincount(tried.spread(240, np.random.default_rng(0))) == 2).all()


def test_a_resumed_search_spreads_alike() -> None:
    tried = search()
    all_evaluated(tried, ENTERPRISE_FIRST)
    resumed = Search.from_state(json.loads(json.dumps(tried.state())))
    first, second = (one.spread(100, np.random.default_rng(3)) for one in (tried, resumed))
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
        self.status = dict.fromkeys(range(NUM_WORKFLOWS), Status.UNTRIED)
        self.episodes = dict.fromkeys(range(NUM_WORKFLOWS), 0)
        self.rewards: dict[int, list[float]] = {}
        self.num_visits = 0

    def candidates(self) -> list[int]:
        return [w for w in self.status if self.status[w] is not Status.RETIRED and self.episodes[w] < CAP]

    @rule(
        data=st.data(),
        reason=st.sampled_from(["threshold", "cap", "patience", "budget"]),
        reward=st.floats(-1300, -12),
        num_episodes=st.integers(0, CAP),
    )
    def visit(self, data: Any, reason: str, reward: float, num_episodes: int) -> None:
        # Few workflows, so that visits repeat.
        workflow_id = data.draw(st.sampled_from(self.candidates()[:6]))
        updated = self.search.finish(result(workflow_id, reason, reward=reward, stderr=0.0, num_episodes=num_episodes))
        assert updated == (reason == "threshold")
        if reason == "threshold":
            self.rewards.setdefault(workflow_id, []).append(reward)
            self.status[workflow_id] = Status.TRAINED
        elif reason in ("cap", "patience"):
            self.status[workflow_id] = Status.RETIRED
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
        assert statistics.num_observations == sum(map(len, self.rewards.values()))
        assert {w: self.search.status(w) for w in self.status} == self.status
        assert observed(self.search) == self.rewards


SearchMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestSearchMachine = SearchMachine.TestCase
