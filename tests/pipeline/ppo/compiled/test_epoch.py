from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.policy import network
from pipeline.policy.network import network_inputs
from pipeline.policy.params import PolicyShape
from pipeline.policy.store import PolicyState
from pipeline.ppo.batch import Batch
from pipeline.ppo.compiled.loss_gradient import METRICS
from pipeline.ppo.compiled.mlp import BLOCK
from pipeline.ppo.compiled.update import CompiledUpdate
from pipeline.ppo.recipe import DEFAULT
from pipeline.ppo.returns import gae
from pipeline.ppo.samples import Samples

ROOT = Path(__file__).parents[4]
SHAPE = PolicyShape(observation_size=7, num_actions=3)
RECIPE = replace(DEFAULT, max_importance=1.25)


def begun(num_episodes: int, num_steps: int) -> CompiledUpdate:
    """An update of a policy on a batch of anything, as it is before its first epoch."""
    rng = np.random.default_rng(0)
    batch = Batch(num_episodes, num_steps, SHAPE.observation_size)
    for row in range(num_episodes):
        record = {
            "observation": rng.integers(0, 2, (num_steps + 1, SHAPE.observation_size)).astype(np.int8),
            "action": rng.integers(0, SHAPE.num_actions, num_steps).astype(np.uint8),
            "log_prob": rng.normal(-1.1, 0.3, num_steps).astype(np.float32),
            "reward_tenths": rng.integers(-20, 1, num_steps).astype(np.int16),
            "fix": np.zeros(num_steps, np.int8),
        }
        batch.put(row, record, workflow_id=(7, 103)[row % 2])
    samples = Samples.of(batch)
    samples.advantage[:] = rng.normal(0, 1, len(samples))
    samples.target[:] = rng.normal(0, 1, len(samples))
    return CompiledUpdate(
        PolicyState(7, network.create(np.random.default_rng(3), "uniform", SHAPE)), samples, RECIPE, 0.01
    )


def test_an_evaluation_is_of_the_policy_that_the_update_begins_with() -> None:
    update = begun(3, 40)
    values = update.evaluate()

    samples, policy = update._samples, update._policy.network
    inputs = network_inputs(samples.inputs.observation, samples.inputs.workflow_id, policy.actor.device)
    assert len(samples.inputs) > BLOCK
    log_probs = policy.log_probs(inputs).detach().numpy()[samples.row, samples.action]
    assert samples.log_prob_old == pytest.approx(log_probs, abs=2e-6)
    assert values == pytest.approx(policy.values(inputs).detach().numpy(), abs=2e-6)
    ratios = np.exp(log_probs - samples.log_prob_behavior)
    assert samples.importance == pytest.approx(np.minimum(ratios, 1.25), abs=5e-6)
    assert (samples.importance == 1.25).any()
    assert (samples.importance < 1.25).any()
    assert not update._num_adam_steps.any()


def test_minibatches_are_the_permutation_cut_and_the_first_ones_have_the_rest() -> None:
    at_once, one_by_one = begun(2, 5), begun(2, 5)
    order = np.random.default_rng(1).permutation(10)
    for update in (at_once, one_by_one):
        update.evaluate()

    metrics = at_once.train(order, 3)
    parts = [one_by_one.train(order[begin:end], 1) for begin, end in ((0, 4), (4, 7), (7, 10))]

    for ours, theirs in zip(at_once._networks, one_by_one._networks, strict=True):
        assert np.array_equal(ours.weights, theirs.weights)
        assert np.array_equal(ours.mean_square, theirs.mean_square)
    assert at_once._num_adam_steps.tolist() == [3, 3]
    for name in METRICS:
        assert metrics[name] == pytest.approx(np.mean([part[name] for part in parts]), rel=1e-12)


def test_a_gradient_is_the_same_in_however_many_blocks_it_is_computed() -> None:
    """That of a minibatch of more than a block's inputs, and the mean of two minibatches' of half as many."""
    gradients = []
    for halves in (False, True):
        update = begun(3, 40)
        update.evaluate()
        update._settings["learning_rate"] = 0.0
        order, parts = np.arange(120), []
        for minibatch in (order[:60], order[60:]) if halves else (order,):
            update.train(minibatch, 1)
            parts.append([part.gradient.copy() for part in update._networks])
        gradients.append([np.mean(of_both, axis=0) for of_both in zip(*parts, strict=True)])
    for ours, theirs in zip(*gradients, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)  # sums of 120 terms in two orders


def digest_of_an_update() -> str:
    """Train a little; return a digest of all that it computes."""
    update = begun(num_episodes=2, num_steps=6)
    update.evaluate()
    update.train(np.arange(12), 2)
    parts = [part for network in update._networks for part in (network.weights, network.mean, network.mean_square)]
    parts += [update._samples.log_prob_old, update._samples.importance, update._steps.values]
    parts += [gae(update._samples.target.reshape(2, 6), np.ones((2, 7)), 0.9, 0.8)]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_uncompiled_code_gives_the_same_bits() -> None:
    """In a process of its own, for whether numba compiles is settled at its import."""
    uncompiled = subprocess.run(
        [sys.executable, "-c", "import test_epoch; print(test_epoch.digest_of_an_update())"],
        cwd=ROOT,
        env={
            **os.environ,
            "NUMBA_DISABLE_JIT": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert uncompiled.stdout.strip() == digest_of_an_update()
