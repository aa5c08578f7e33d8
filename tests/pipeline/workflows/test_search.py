from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipeline.types import Estimate, WorkflowResult
from pipeline.workflows.orders import NUM_WORKFLOWS
from pipeline.workflows.search import Pick, Search, Status

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
    for workflow_id in range(0, 120, 10):
        greedy.finish(result(workflow_id, reward=-20.0 if workflow_id == 70 else -400.0, stderr=0.1))
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
    assert tried.best() == (1, Estimate(-30.0, 1.0))
    statistics = tried.statistics()
    assert (statistics.num_untried, statistics.num_trained, statistics.num_retired) == (117, 1, 2)
    assert (statistics.iteration, statistics.num_candidates, statistics.num_observations) == (4, 118, 1)


def test_a_trained_workflow_that_misses_later_is_retired_but_not_forgotten() -> None:
    tried = search()
    tried.finish(result(9, reward=-18.0))
    tried.finish(result(9, "patience", reward=-500.0))
    assert tried.status(9) is Status.RETIRED
    assert tried.best() == (9, Estimate(-18.0, 1.0))


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
    before = tried.best()
    tried.finish(result(9, "budget", reward=-1.0, num_episodes=300))
    assert tried.status(9) is Status.TRAINED
    assert tried.best() == before
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
    assert tried.best() is None


def test_the_last_one_left_is_picked_whatever_its_score() -> None:
    tried = search()
    tried.finish(result(0, reward=-900.0))
    for workflow_id in range(1, NUM_WORKFLOWS):
        tried.finish(result(workflow_id, "patience"))
    pick = tried.next()
    assert pick is not None
    assert pick.workflow_id == 0


# The best


def test_the_best_is_pooled_over_visits() -> None:
    tried = search()
    tried.finish(result(5, reward=-20.0, stderr=3.0))
    tried.finish(result(7, reward=-23.0, stderr=3.0))
    tried.finish(result(5, reward=-24.0, stderr=4.0))
    assert tried.best() == (5, Estimate(-22.0, 2.5))


def test_equals_go_to_the_lowest_id_and_are_named_as_ties() -> None:
    tried = search()
    assert tried.tied_with_best() == []
    for workflow_id, reward in [(50, -20.0), (3, -20.0), (99, -22.0), (98, -24.0)]:
        tried.finish(result(workflow_id, reward=reward, stderr=1.0))
    assert tried.best() == (3, Estimate(-20.0, 1.0))
    assert tried.tied_with_best() == [3, 50, 99]  # 2 * sqrt(2) points is how far a tie goes


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
        best = self.search.best()
        if best is None:
            assert not self.rewards
        else:
            means = {w: math.fsum(rewards) / len(rewards) for w, rewards in self.rewards.items()}
            assert best[1].mean == max(means.values()) == means[best[0]]
            assert best[0] in self.search.tied_with_best()


SearchMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestSearchMachine = SearchMachine.TestCase
