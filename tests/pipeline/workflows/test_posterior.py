from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, PAIRS
from pipeline.cage2.facts.orders import PRECEDENCES
from pipeline.workflows.choice import choose
from pipeline.workflows.evidence import MEAN_VARIANCE
from pipeline.workflows.models import covariances
from pipeline.workflows.observations import Observation
from pipeline.workflows.posterior import Posterior, expecting, fit, sample
from pipeline.workflows.targets import standardise

EVERY = np.ones(NUM_WORKFLOWS, dtype=bool)
ENTERPRISE, USER = 1, 4


def observe(rewards: dict[int, float], stderr: float = 1.0) -> list[Observation]:
    return [Observation(workflow_id, reward, stderr) for workflow_id, reward in rewards.items()]


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
    assert posterior.nugget_std > 0


def assert_equal(first: Posterior, second: Posterior) -> None:
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.std, second.std)
    assert first.nugget_std == second.nugget_std


# The posterior


def test_it_is_the_mixture_of_the_gaussian_processes_that_are_left() -> None:
    rng = np.random.default_rng(1)
    ids = np.sort(rng.permutation(NUM_WORKFLOWS)[:12])
    observations = [Observation(int(i), r, s) for i, r, s in zip(ids, rng.normal(-60, 8, 12), rng.uniform(0.5, 3, 12))]  # noqa: B905
    targets = standardise(observations)
    posterior = fit(observations)
    evidence = posterior.evidence
    means, variances = [], []
    for model, nugget in zip(evidence.model.tolist(), evidence.nugget.tolist(), strict=True):
        kernel = covariances()[model] + MEAN_VARIANCE
        gain = np.linalg.solve(kernel[np.ix_(ids, ids)] + np.diag(targets.noise + nugget), kernel[ids]).T
        means.append(gain @ targets.values)
        variances.append(np.diag(kernel) - np.einsum("ij,ji->i", gain, kernel[ids]))
    weight = evidence.weight
    assert len(weight) > 10
    mean = weight @ np.array(means)
    variance = weight @ (np.array(variances) + (np.array(means) - mean) ** 2)
    np.testing.assert_allclose(posterior.mean, targets.location + targets.scale * mean, rtol=1e-10)
    np.testing.assert_allclose(posterior.std, targets.scale * np.sqrt(variance), rtol=1e-9)
    assert posterior.observed == tuple(ids.tolist())
    assert posterior.best == max(posterior.observed, key=lambda w: posterior.mean[w])


def test_it_foresees_orders_that_were_never_tried() -> None:
    rng = np.random.default_rng(2)
    truth = -60 + PRECEDENCES @ rng.normal(0, 6, 10)
    tried = rng.permutation(NUM_WORKFLOWS)[:40]
    posterior = fit(observe({int(i): truth[i] + rng.normal() for i in tried}))
    untried = np.setdiff1d(np.arange(NUM_WORKFLOWS), tried)
    assert np.corrcoef(posterior.mean[untried], truth[untried])[0, 1] > 0.97
    errors = (posterior.mean[untried] - truth[untried]) / posterior.std[untried]
    assert np.abs(errors).max() < 5


def test_it_learns_that_one_pair_decides_and_so_ties() -> None:
    rng = np.random.default_rng(3)
    truth = enterprise_before_user(rng)
    tried = rng.permutation(NUM_WORKFLOWS)[:30]
    posterior = fit(observe({int(i): float(truth[i]) for i in tried}))
    good = PRECEDENCES[:, PAIRS.index((ENTERPRISE, USER))] == 1
    assert np.ptp(posterior.mean[good]) < 2
    assert posterior.mean[good].min() > posterior.mean[~good].max() + 15


def test_it_is_surer_of_what_was_tried_and_of_what_was_measured_better() -> None:
    rng = np.random.default_rng(4)
    truth = -60 + PRECEDENCES @ rng.normal(0, 6, 10)
    tried = {int(i): float(truth[i]) for i in rng.permutation(NUM_WORKFLOWS)[:20]}
    sharp, blunt = (fit(observe(tried, stderr)) for stderr in (0.1, 9.0))
    ids = np.array(sorted(tried))
    untried = np.setdiff1d(np.arange(NUM_WORKFLOWS), ids)
    assert sharp.std[ids].mean() < 0.7 * sharp.std[untried].mean()
    assert sharp.std[ids].mean() < 0.5 * blunt.std[ids].mean()


# Degenerate and hostile observations


def test_without_an_observation_there_is_nothing_to_fit() -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        fit([])


@pytest.mark.parametrize("stderr", [0.0, 1.5])
def test_one_observation(stderr: float) -> None:
    posterior = fit([Observation(17, -300.0, stderr)])
    assert_sound(posterior)
    np.testing.assert_allclose(posterior.mean, -300.0)
    assert posterior.std[17] == posterior.std.min()
    assert posterior.std[17] < posterior.std.max()


@pytest.mark.parametrize("stderr", [0.0, 1.5])
@pytest.mark.parametrize("num", [2, 30, NUM_WORKFLOWS])
def test_equal_rewards(num: int, stderr: float) -> None:
    posterior = fit(observe(dict.fromkeys(range(num), -25.0), stderr))
    assert_sound(posterior)
    np.testing.assert_allclose(posterior.mean, -25.0, atol=1e-3)


def test_every_order_observed_without_error() -> None:
    rng = np.random.default_rng(5)
    truth = -40 + PRECEDENCES @ rng.normal(0, 5, 10)
    posterior = fit(observe(dict(enumerate(truth.tolist())), stderr=0.0))
    assert_sound(posterior)
    np.testing.assert_allclose(posterior.mean, truth, atol=0.5)
    assert posterior.mean.argmax() == truth.argmax()


def test_a_disaster_does_not_hide_the_differences_between_the_others() -> None:
    rng = np.random.default_rng(6)
    truth = enterprise_before_user(rng)
    rewards = {int(i): float(truth[i]) for i in rng.permutation(NUM_WORKFLOWS)[:25]}
    disaster = next(iter(rewards))
    rewards[disaster] = -1300.0
    posterior = fit(observe(rewards))
    assert_sound(posterior)
    good = PRECEDENCES[:, PAIRS.index((ENTERPRISE, USER))] == 1
    others = np.setdiff1d(np.arange(NUM_WORKFLOWS), [disaster])
    gap = posterior.mean[others[good[others]]].mean() - posterior.mean[others[~good[others]]].mean()
    assert gap == pytest.approx(20, abs=8)


def test_rewards_over_the_whole_span_keep_their_best() -> None:
    rewards = {w: float(r) for w, r in zip(range(0, 120, 10), np.geomspace(-1300, -12, 12), strict=True)}
    posterior = fit(observe(rewards))
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
        unique_by=lambda observation: observation[0],
    ),
)
def test_any_observations_are_digested(visits: list[tuple[int, float, float]]) -> None:
    assert_sound(fit([Observation(*visit) for visit in visits]))


def test_two_observations_of_one_order_are_refused() -> None:
    with pytest.raises(ValueError, match="workflow 5 is observed twice"):
        fit([Observation(5, -20.0, 1.0), Observation(5, -30.0, 1.0)])


# Determinism


def test_a_fit_repeats_to_the_bit_at_any_number_of_threads() -> None:
    rng = np.random.default_rng(8)
    observations = observe(dict(enumerate(rng.normal(-30, 5, NUM_WORKFLOWS).tolist())))
    before = torch.get_num_threads()
    posteriors = []
    try:
        for num_threads in (1, 2):
            torch.set_num_threads(num_threads)
            posteriors.append(fit(observations))
            assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(before)
    assert_equal(*posteriors)


def test_a_fit_repeats_to_the_bit_in_another_process() -> None:
    code = (
        "from pipeline.workflows.observations import Observation\n"
        "from pipeline.workflows.posterior import fit\n"
        "posterior = fit([Observation(7 * i % 120, -20.0 - i * i % 17, 1.0) for i in range(20)])\n"
        "print((posterior.mean.tobytes() + posterior.std.tobytes()).hex())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    here = fit([Observation(7 * i % 120, -20.0 - i * i % 17, 1.0) for i in range(20)])
    assert bytes.fromhex(there.stdout) == here.mean.tobytes() + here.std.tobytes()


def test_a_fit_leaves_the_global_generators_alone() -> None:
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - it is the global one
    fit(observe({0: -20.0, 9: -30.0, 99: -25.0}))
    assert torch.equal(state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002 - it is the global one


# Samples


def test_samples_have_the_moments_of_the_posterior() -> None:
    rng = np.random.default_rng(11)
    posterior = fit(observe({int(i): float(rng.normal(-40, 6)) for i in rng.permutation(NUM_WORKFLOWS)[:15]}))
    num = 20_000
    values = sample(posterior, num, rng)
    assert values.shape == (num, NUM_WORKFLOWS)
    errors = (values.mean(axis=0) - posterior.mean) / posterior.std
    assert np.abs(errors).max() < 5 / math.sqrt(num)
    np.testing.assert_allclose(values.std(axis=0), posterior.std, rtol=0.05)  # 20,000 draws: kurtosis of a mixture


def test_samples_are_joint() -> None:
    """Orders that differ in nothing that matters have one value, whatever it is."""
    truth = enterprise_before_user(np.random.default_rng(12))
    posterior = fit(observe({i: float(truth[i]) for i in range(0, NUM_WORKFLOWS, 2)}, stderr=3.0))
    values = sample(posterior, 2000, np.random.default_rng(0))
    good = np.flatnonzero(PRECEDENCES[:, PAIRS.index((ENTERPRISE, USER))] == 1)
    difference = values[:, good[1]] - values[:, good[20]]
    assert difference.std() < 0.75 * math.hypot(posterior.std[good[1]], posterior.std[good[20]])


def test_samples_repeat_to_the_bit() -> None:
    posterior = fit(observe({3: -20.0, 30: -25.0, 80: -22.0}))
    first, second = (sample(posterior, 100, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)


# The point of it all


@pytest.mark.slow
def test_it_finds_good_orders_sooner_than_chance() -> None:
    def regret(seed: int, *, by_chance: bool) -> float:
        rng = np.random.default_rng(seed)
        truth = PRECEDENCES @ rng.normal(0, 5, 10) - 60
        observations: dict[int, Observation] = {}
        for _ in range(15):
            posterior = None if by_chance or not observations else fit(observations.values())
            chosen = choose(posterior, EVERY, 2.0, rng).workflow_id
            observations[chosen] = Observation(chosen, float(truth[chosen] + rng.normal()), 1.0)
        best = max(observations.values(), key=lambda observation: observation.env_reward)
        return float((truth.max() - truth[best.workflow_id]) / truth.std())

    search, chance = (np.mean([regret(seed, by_chance=c) for seed in range(6)]) for c in (False, True))
    assert search < 0.5 * chance


# What is under way


def test_what_is_expected_changes_no_mean_and_takes_from_each_model_what_it_would_learn() -> None:
    rng = np.random.default_rng(3)
    ids = np.sort(rng.permutation(NUM_WORKFLOWS)[:8])
    posterior = fit([Observation(int(i), r, 1.0) for i, r in zip(ids, rng.normal(-60, 8, 8), strict=True)])
    under_way, evidence = [5, 77], posterior.evidence
    expected = expecting(posterior, under_way)
    assert_sound(expected)
    assert np.array_equal(expected.mean, posterior.mean)
    both = np.append(ids, under_way)
    variances, means = [], []
    for k, (model, nugget) in enumerate(zip(evidence.model.tolist(), evidence.nugget.tolist(), strict=True)):
        kernel = covariances()[model] + MEAN_VARIANCE
        noise = np.diag(evidence.factor[k] @ evidence.factor[k].T) - np.diag(kernel)[ids]  # of what was observed
        among = kernel[np.ix_(both, both)] + np.diag(np.append(noise, [nugget, nugget]))
        variances.append(np.diag(kernel) - np.einsum("ij,ji->i", np.linalg.solve(among, kernel[both]).T, kernel[both]))
        seen = kernel[np.ix_(ids, ids)] + np.diag(noise)
        means.append(kernel[:, ids] @ np.linalg.solve(seen, evidence.factor[k] @ evidence.whitened[k]))
    mean = evidence.weight @ np.array(means)
    variance = evidence.weight @ (np.array(variances) + (np.array(means) - mean) ** 2)
    np.testing.assert_allclose(expected.std, posterior.scale * np.sqrt(variance), rtol=1e-7)


@given(st.sets(st.integers(0, 119), min_size=1, max_size=20))
@settings(max_examples=20)
def test_who_expects_more_is_less_uncertain(under_way: set[int]) -> None:
    posterior = fit(observe({3: -20.0, 50: -30.0, 99: -25.0}))
    expected = expecting(posterior, under_way)
    assert (expected.std <= posterior.std * (1 + 1e-9)).all()
    assert (expected.std[list(under_way)] < posterior.std[list(under_way)]).any()
