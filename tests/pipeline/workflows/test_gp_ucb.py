from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.workflows import gp_ucb
from pipeline.workflows.gp_ucb import Choice, Hyperparameters, NoCandidatesError, Observation, Posterior
from pipeline.workflows.orders import NUM_WORKFLOWS, ONE_HOTS, PAIRS, PRECEDENCES

if TYPE_CHECKING:
    from random import Random

EVERY = np.ones(NUM_WORKFLOWS, dtype=bool)
DEFENDER, ENTERPRISE, USER = 0, 1, 4


def observe(rewards: dict[int, float], stderr: float = 1.0) -> list[Observation]:
    return [Observation(workflow_id, reward, stderr) for workflow_id, reward in rewards.items()]


def believed(mean: np.ndarray, std: np.ndarray) -> Posterior:
    return Posterior(mean, std, Hyperparameters(0.0, 1.0, (0.1,) * 10, (0.1,) * 5, 0.1))


def enterprise_before_user(rng: np.random.Generator) -> np.ndarray:
    """What the game is like for a defender that has learned its job, roughly: one pair decides."""
    return -40.0 + 20.0 * PRECEDENCES[:, PAIRS.index((ENTERPRISE, USER))] + rng.normal(0, 0.3, NUM_WORKFLOWS)


def assert_sound(posterior: Posterior) -> None:
    for array in (posterior.mean, posterior.std):
        assert array.shape == (NUM_WORKFLOWS,)
        assert array.dtype == np.float64
        assert np.isfinite(array).all()
        assert not array.flags.writeable
    assert (posterior.std >= 0).all()
    assert posterior.std.max() > 0
    hyperparameters = posterior.hyperparameters
    assert len(hyperparameters.mallows_decay) == 10
    assert len(hyperparameters.position_std) == 5


def assert_equal(first: Posterior, second: Posterior) -> None:
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.std, second.std)
    assert first.hyperparameters == second.hyperparameters


# The posterior


def test_it_is_the_gaussian_process_of_its_hyperparameters() -> None:
    rng = np.random.default_rng(1)
    ids = np.sort(rng.permutation(NUM_WORKFLOWS)[:40])
    rewards, stderrs = rng.normal(-60, 8, 40), rng.uniform(0.5, 3, 40)
    posterior = gp_ucb.fit([Observation(int(i), r, s) for i, r, s in zip(ids, rewards, stderrs, strict=True)], seed=0)
    found = posterior.hyperparameters
    disagree = (PRECEDENCES[:, None, :] != PRECEDENCES[None, :, :]) @ np.array(found.mallows_decay)
    agree = (ONE_HOTS.astype(float) * np.repeat(np.square(found.position_std), 5)) @ ONE_HOTS.T
    kernel = found.mallows_std**2 * np.exp(-disagree) + agree
    noise = np.diag(stderrs**2 + found.extra_noise_std**2)
    gain = np.linalg.solve(kernel[np.ix_(ids, ids)] + noise, kernel[ids]).T
    np.testing.assert_allclose(posterior.mean, found.mean + gain @ (rewards - found.mean), rtol=1e-9)
    variance = np.diag(kernel) - np.einsum("ij,ji->i", gain, kernel[ids])
    np.testing.assert_allclose(posterior.std, np.sqrt(variance), rtol=1e-7)


def test_it_foresees_orders_that_were_never_tried() -> None:
    rng = np.random.default_rng(2)
    truth = -60 + PRECEDENCES @ rng.normal(0, 6, 10)
    tried = rng.permutation(NUM_WORKFLOWS)[:40]
    posterior = gp_ucb.fit(observe({int(i): truth[i] + rng.normal() for i in tried}), seed=0)
    untried = np.setdiff1d(np.arange(NUM_WORKFLOWS), tried)
    assert np.corrcoef(posterior.mean[untried], truth[untried])[0, 1] > 0.97
    errors = (posterior.mean[untried] - truth[untried]) / posterior.std[untried]
    assert np.abs(errors).max() < 5


def test_it_learns_which_pairs_make_no_difference_and_so_ties() -> None:
    rng = np.random.default_rng(3)
    truth = enterprise_before_user(rng)
    tried = rng.permutation(NUM_WORKFLOWS)[:30]
    posterior = gp_ucb.fit(observe({int(i): float(truth[i]) for i in tried}), seed=0)
    decays = dict(zip(PAIRS, posterior.hyperparameters.mallows_decay, strict=True))
    decisive = decays.pop((ENTERPRISE, USER))
    assert decisive > 10 * max(decays.values())
    good = PRECEDENCES[:, PAIRS.index((ENTERPRISE, USER))] == 1
    assert np.ptp(posterior.mean[good]) < 2
    assert posterior.mean[good].min() > posterior.mean[~good].max() + 15


def test_it_is_surer_of_what_was_tried_and_of_what_was_measured_better() -> None:
    rng = np.random.default_rng(4)
    tried = {int(i): float(-50 + rng.normal(0, 10)) for i in rng.permutation(NUM_WORKFLOWS)[:20]}
    sharp, blunt = (gp_ucb.fit(observe(tried, stderr), seed=0) for stderr in (0.1, 9.0))
    ids = np.array(sorted(tried))
    untried = np.setdiff1d(np.arange(NUM_WORKFLOWS), ids)
    assert sharp.std[ids].max() < sharp.std[untried].min()
    assert sharp.std[ids].mean() < 0.5 * blunt.std[ids].mean()


# Degenerate and hostile observations


def test_without_an_observation_there_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        gp_ucb.fit([], seed=0)


@pytest.mark.parametrize("stderr", [0.0, 1.5])
def test_one_observation(stderr: float) -> None:
    posterior = gp_ucb.fit([Observation(17, -300.0, stderr)], seed=0)
    assert_sound(posterior)
    np.testing.assert_allclose(posterior.mean, -300.0)
    assert posterior.std[17] == posterior.std.min()
    assert posterior.std[17] < posterior.std.max()


@pytest.mark.parametrize("stderr", [0.0, 1.5])
@pytest.mark.parametrize("num", [2, 30, NUM_WORKFLOWS])
def test_equal_rewards(num: int, stderr: float) -> None:
    posterior = gp_ucb.fit(observe(dict.fromkeys(range(num), -25.0), stderr), seed=0)
    assert_sound(posterior)
    np.testing.assert_allclose(posterior.mean, -25.0, atol=1e-3)


def test_every_order_observed_without_error() -> None:
    rng = np.random.default_rng(5)
    truth = -40 + PRECEDENCES @ rng.normal(0, 5, 10)
    posterior = gp_ucb.fit(observe(dict(enumerate(truth.tolist())), stderr=0.0), seed=0)
    assert_sound(posterior)
    np.testing.assert_allclose(posterior.mean, truth, atol=0.5)
    assert posterior.mean.argmax() == truth.argmax()


def test_a_disaster_does_not_hide_the_differences_between_the_others() -> None:
    rng = np.random.default_rng(6)
    truth = enterprise_before_user(rng)
    rewards = {int(i): float(truth[i]) for i in rng.permutation(NUM_WORKFLOWS)[:25]}
    disaster = next(iter(rewards))
    rewards[disaster] = -1300.0
    posterior = gp_ucb.fit(observe(rewards), seed=0)
    assert_sound(posterior)
    good = PRECEDENCES[:, PAIRS.index((ENTERPRISE, USER))] == 1
    others = np.setdiff1d(np.arange(NUM_WORKFLOWS), [disaster])
    gap = posterior.mean[others[good[others]]].mean() - posterior.mean[others[~good[others]]].mean()
    assert gap == pytest.approx(20, abs=8)


def test_rewards_over_the_whole_span_keep_their_best() -> None:
    rewards = {w: float(r) for w, r in zip(range(0, 120, 10), np.geomspace(-1300, -12, 12), strict=True)}
    posterior = gp_ucb.fit(observe(rewards), seed=0)
    assert_sound(posterior)
    assert max(rewards, key=lambda w: posterior.mean[w]) == 110


@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, NUM_WORKFLOWS - 1),
            st.one_of(st.floats(-1300, -12), st.just(-18.0), st.floats(-1e6, 1e6)),
            st.one_of(st.just(0.0), st.floats(0, 1e3)),
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 2**63 - 1),
)
def test_any_observations_are_digested(visits: list[tuple[int, float, float]], seed: int) -> None:
    assert_sound(gp_ucb.fit([Observation(*visit) for visit in visits], seed))


@pytest.mark.parametrize(
    ("workflow_id", "reward", "stderr", "complaint"),
    [
        (-1, -20.0, 1.0, "does not exist"),
        (120, -20.0, 1.0, "does not exist"),
        (3, math.nan, 1.0, "can't be observed"),
        (3, -math.inf, 1.0, "can't be observed"),
        (3, -20.0, math.nan, "no standard error"),
        (3, -20.0, math.inf, "no standard error"),
        (3, -20.0, -0.1, "no standard error"),
    ],
)
def test_what_is_no_observation_is_refused(workflow_id: int, reward: float, stderr: float, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Observation(workflow_id, reward, stderr)


# Repeated observations


def test_visits_to_one_order_are_pooled() -> None:
    visits = [Observation(5, -20.0, 1.0), Observation(2, -30.0, 2.0), Observation(5, -21.0, 2.0)]
    assert gp_ucb.pool(visits) == [
        Observation(2, -30.0, 2.0),
        Observation(5, -20.5, math.sqrt(1 + 4) / 2),
    ]
    assert gp_ucb.pool([]) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-1300, -12), st.floats(0, 9)), max_size=20), st.randoms())
def test_pooling_does_not_depend_on_the_order_of_the_visits(
    visits: list[tuple[int, float, float]], random: Random
) -> None:
    observations = [Observation(*visit) for visit in visits]
    shuffled = observations.copy()
    random.shuffle(shuffled)
    assert gp_ucb.pool(observations) == gp_ucb.pool(shuffled)


def test_visits_that_differ_by_more_than_their_errors_are_trusted_less() -> None:
    (pooled,) = gp_ucb.pool([Observation(5, -20.0, 0.5), Observation(5, -40.0, 0.5)])
    assert pooled == Observation(5, -30.0, 10.0)
    (unknown,) = gp_ucb.pool([Observation(5, reward, 0.0) for reward in (-1.0, -2.0, -3.0)])
    assert unknown == Observation(5, -2.0, 1 / math.sqrt(3))


def test_thousands_of_visits_cost_no_more_than_their_orders() -> None:
    rng = np.random.default_rng(7)
    visits = [Observation(int(rng.integers(4)), float(rng.normal(-20, 1)), 1.0) for _ in range(5000)]
    posterior = gp_ucb.fit(visits, seed=0)
    assert_sound(posterior)
    np.testing.assert_allclose(posterior.mean[:4], -20, atol=0.5)


# Determinism


def test_a_fit_repeats_to_the_bit_at_any_number_of_threads() -> None:
    rng = np.random.default_rng(8)
    observations = observe(dict(enumerate(rng.normal(-30, 5, NUM_WORKFLOWS).tolist())))
    before = torch.get_num_threads()
    posteriors = []
    try:
        for num_threads in (1, 2):
            torch.set_num_threads(num_threads)
            posteriors.append(gp_ucb.fit(observations, seed=9))
            assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(before)
    assert_equal(*posteriors)


def test_a_fit_repeats_to_the_bit_in_another_process() -> None:
    code = (
        "from pipeline.workflows.gp_ucb import Observation, fit\n"
        "posterior = fit([Observation(7 * i % 120, -20.0 - i * i % 17, 1.0) for i in range(20)], 3)\n"
        "print((posterior.mean.tobytes() + posterior.std.tobytes()).hex())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    here = gp_ucb.fit([Observation(7 * i % 120, -20.0 - i * i % 17, 1.0) for i in range(20)], 3)
    assert bytes.fromhex(there.stdout) == here.mean.tobytes() + here.std.tobytes()


def test_a_fit_leaves_the_global_generators_alone() -> None:
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - it is the global one
    gp_ucb.fit(observe({0: -20.0, 9: -30.0, 99: -25.0}), seed=0)
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002 - it is the global one


# The choice


def test_without_a_posterior_any_candidate_may_be_chosen() -> None:
    candidates = np.zeros(NUM_WORKFLOWS, dtype=bool)
    candidates[[3, 50, 119]] = True
    rng = np.random.default_rng(0)
    choices = [gp_ucb.choose(None, candidates, 2.0, rng) for _ in range(300)]
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
    choice = gp_ucb.choose(believed(mean, std), candidates, beta, rng)
    scores = mean + beta * std
    assert candidates[choice.workflow_id]
    assert choice.ucb_score == scores[choice.workflow_id] == scores[candidates].max()


def test_beta_is_what_exploration_is_worth() -> None:
    mean, std = np.zeros(NUM_WORKFLOWS), np.ones(NUM_WORKFLOWS)
    mean[10], std[20] = 1.0, 2.0
    rng = np.random.default_rng(0)
    assert gp_ucb.choose(believed(mean, std), EVERY, 0.5, rng) == Choice(10, 1.5)
    assert gp_ucb.choose(believed(mean, std), EVERY, 2.0, rng) == Choice(20, 4.0)


def test_ties_are_broken_by_lot_also_where_rounding_hides_them() -> None:
    mean = np.full(NUM_WORKFLOWS, -40.0)
    mean[[8, 80]] = -20.0, -20.0 * (1 + 1e-14)
    rng = np.random.default_rng(0)
    chosen = [gp_ucb.choose(believed(mean, np.ones(NUM_WORKFLOWS)), EVERY, 2.0, rng).workflow_id for _ in range(200)]
    assert set(chosen) == {8, 80}
    assert 60 < chosen.count(8) < 140


def test_equal_generators_choose_alike() -> None:
    posterior = believed(np.zeros(NUM_WORKFLOWS), np.ones(NUM_WORKFLOWS))
    first, second = (
        [gp_ucb.choose(posterior, EVERY, 2.0, rng) for _ in range(5)]
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert first == second


@pytest.mark.parametrize("posterior", [None, believed(np.zeros(NUM_WORKFLOWS), np.ones(NUM_WORKFLOWS))])
def test_without_candidates_there_is_no_choice(posterior: Posterior | None) -> None:
    with pytest.raises(NoCandidatesError, match="none of the 120 workflows is a candidate"):
        gp_ucb.choose(posterior, ~EVERY, 2.0, np.random.default_rng(0))


# The point of it all


@pytest.mark.slow
def test_it_finds_good_orders_sooner_than_chance() -> None:
    def regret(seed: int, *, by_chance: bool) -> float:
        rng = np.random.default_rng(seed)
        truth = PRECEDENCES @ rng.normal(0, 5, 10) - 60
        observations: list[Observation] = []
        for iteration in range(15):
            posterior = None if by_chance or not observations else gp_ucb.fit(observations, seed=iteration)
            chosen = gp_ucb.choose(posterior, EVERY, 2.0, rng).workflow_id
            observations.append(Observation(chosen, float(truth[chosen] + rng.normal()), 1.0))
        best = max(gp_ucb.pool(observations), key=lambda observation: observation.env_reward)
        return float((truth.max() - truth[best.workflow_id]) / truth.std())

    search, chance = (np.mean([regret(seed, by_chance=c) for seed in range(6)]) for c in (False, True))
    assert search < 0.5 * chance
