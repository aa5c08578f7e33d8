from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS
from pipeline.workflows.choice import Choice, NoCandidatesError, choose, deal
from pipeline.workflows.evidence import Evidence
from pipeline.workflows.posterior import Posterior

EVERY = np.ones(NUM_WORKFLOWS, dtype=bool)


def believed(mean: np.ndarray, std: np.ndarray) -> Posterior:
    nothing = Evidence(*(torch.empty(0) for _ in Evidence._fields))
    return Posterior(mean, std, 0.1, (), 0, nothing, 0.0, 1.0)


def test_without_a_posterior_any_candidate_may_be_chosen() -> None:
    candidates = np.zeros(NUM_WORKFLOWS, dtype=bool)
    candidates[[3, 50, 119]] = True
    rng = np.random.default_rng(0)
    choices = [choose(None, candidates, 2.0, rng) for _ in range(300)]
    assert all(math.isnan(choice.ucb_score) for choice in choices)
    counts = [sum(choice.workflow_id == workflow_id for choice in choices) for workflow_id in (3, 50, 119)]
    assert sum(counts) == 300
    assert min(counts) > 60


@given(st.integers(0, 2**32 - 1), st.floats(0, 10))
def test_the_choice_has_the_highest_bound_of_the_candidates(seed: int, beta: float) -> None:
    rng = np.random.default_rng(seed)
    mean, std = rng.normal(-50, 20, NUM_WORKFLOWS), rng.gamma(2, 3, NUM_WORKFLOWS)
    candidates = rng.random(NUM_WORKFLOWS) < 0.3
    candidates[rng.integers(NUM_WORKFLOWS)] = True
    choice = choose(believed(mean, std), candidates, beta, rng)
    scores = mean + beta * std
    assert candidates[choice.workflow_id]
    assert choice.ucb_score == scores[choice.workflow_id] == scores[candidates].max()


def test_beta_is_what_exploration_is_worth() -> None:
    mean, std = np.zeros(NUM_WORKFLOWS), np.ones(NUM_WORKFLOWS)
    mean[10], std[20] = 1.0, 2.0
    rng = np.random.default_rng(0)
    assert choose(believed(mean, std), EVERY, 0.5, rng) == Choice(10, 1.5)
    assert choose(believed(mean, std), EVERY, 2.0, rng) == Choice(20, 4.0)


def test_ties_are_broken_by_lot_also_where_rounding_hides_them() -> None:
    mean = np.full(NUM_WORKFLOWS, -40.0)
    mean[[8, 80]] = -20.0, -20.0 * (1 + 1e-14)
    rng = np.random.default_rng(0)
    chosen = [choose(believed(mean, np.ones(NUM_WORKFLOWS)), EVERY, 2.0, rng).workflow_id for _ in range(200)]
    assert set(chosen) == {8, 80}
    assert 60 < chosen.count(8) < 140


def test_equal_generators_choose_alike() -> None:
    posterior = believed(np.zeros(NUM_WORKFLOWS), np.ones(NUM_WORKFLOWS))
    first, second = (
        [choose(posterior, EVERY, 2.0, rng) for _ in range(5)]
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert first == second


@pytest.mark.parametrize("posterior", [None, believed(np.zeros(NUM_WORKFLOWS), np.ones(NUM_WORKFLOWS))])
def test_without_candidates_there_is_no_choice(posterior: Posterior | None) -> None:
    with pytest.raises(NoCandidatesError, match="none of the 120 workflows is a candidate"):
        choose(posterior, ~EVERY, 2.0, np.random.default_rng(0))


# The spread


@given(st.integers(0, 1000), st.integers(0, 2**32 - 1))
def test_without_a_posterior_episodes_go_round_all_orders(num_episodes: int, seed: int) -> None:
    dealt = deal(None, EVERY, 2.0, num_episodes, np.random.default_rng(seed))
    assert dealt.shape == (num_episodes,)
    assert dealt.dtype == np.int64
    counts = np.bincount(dealt, minlength=NUM_WORKFLOWS)
    assert np.ptp(counts) <= 1


@given(st.integers(0, 1000), st.integers(0, 2**32 - 1), st.integers(1, NUM_WORKFLOWS))
def test_half_of_the_episodes_go_to_those_that_may_be_best(num_episodes: int, seed: int, num_good: int) -> None:
    rng = np.random.default_rng(seed)
    good = rng.permutation(NUM_WORKFLOWS)[:num_good]
    mean = np.full(NUM_WORKFLOWS, -50.0)
    mean[good] = -20 - rng.random(num_good)
    dealt = deal(believed(mean, np.ones(NUM_WORKFLOWS)), EVERY, 2.0, num_episodes, rng)
    assert dealt.shape == (num_episodes,)
    counts = np.bincount(dealt, minlength=NUM_WORKFLOWS)
    others = np.setdiff1d(np.arange(NUM_WORKFLOWS), good)
    everywhere, extra = (num_episodes + 1) // 2, num_episodes // 2
    for ids, lower, upper in (
        (others, everywhere // NUM_WORKFLOWS, -(-everywhere // NUM_WORKFLOWS)),
        (good, everywhere // NUM_WORKFLOWS + extra // num_good, -(-everywhere // NUM_WORKFLOWS) - (-extra // num_good)),
    ):
        assert ((counts[ids] >= lower) & (counts[ids] <= upper)).all()


def test_what_is_no_contender_gets_no_extra_episodes_however_good() -> None:
    contenders = ~EVERY
    contenders[[7, 9]] = True
    mean = np.linspace(-90, -20, NUM_WORKFLOWS)
    counts = np.bincount(
        deal(believed(mean, np.full(NUM_WORKFLOWS, 0.1)), contenders, 2.0, 480, np.random.default_rng(0))
    )
    assert counts[9] == 2 + 240
    assert (np.delete(counts, 9) == 2).all()


def test_without_contenders_episodes_go_round_all_orders() -> None:
    flat = believed(np.zeros(NUM_WORKFLOWS), np.ones(NUM_WORKFLOWS))
    assert (np.bincount(deal(flat, ~EVERY, 2.0, 240, np.random.default_rng(0))) == 2).all()


def test_uncertain_orders_are_worth_a_look() -> None:
    mean, std = np.full(NUM_WORKFLOWS, -30.0), np.full(NUM_WORKFLOWS, 1.0)
    mean[3], std[5] = -20.0, 6.0
    counts = np.bincount(deal(believed(mean, std), EVERY, 2.0, 240, np.random.default_rng(0)))
    assert {int(workflow_id) for workflow_id in np.flatnonzero(counts > 1)} == {3, 5}


def test_equal_generators_spread_alike() -> None:
    first, second = (deal(None, EVERY, 2.0, 50, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)
