from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.numerics.compiled import int64, kernel
from pipeline.numerics.matrix import TILE
from pipeline.policy.params import USELESS
from pipeline.ppo import losses
from pipeline.ppo.compiled import loss_gradient
from pipeline.ppo.compiled.loss_gradient import METRICS
from pipeline.ppo.compiled.steps import Steps, new_workspace, settings_of
from pipeline.ppo.recipe import DEFAULT

RECIPE = dataclasses.replace(DEFAULT, ent_coef=0.1)
NUM_COLUMNS = 2 * TILE


@kernel
def distribution(logits: Any, masked: Any, num_outputs: int, exps: Any) -> Any:
    loss_gradient.mask_logits(logits, masked, 1)
    return loss_gradient.softmax_terms(logits, num_outputs, exps)


@kernel
def gradients(
    logits: Any, num_outputs: int, value: Any, steps: Any, workspace: Any, size: int, settings: Any, sums: Any
) -> None:
    num_steps = len(steps.row)
    loss_gradient.policy_gradient(logits, num_outputs, steps, workspace, 0, 1, size, settings[0], sums)
    loss_gradient.value_gradient_at(value, steps, workspace, 0, num_steps, size, settings[0], sums)


def padded(values: np.ndarray) -> np.ndarray:
    """With what no output is in."""
    result = np.zeros(NUM_COLUMNS, np.float32)
    result[: len(values)] = values
    return result


@given(st.integers(2, NUM_COLUMNS), st.integers(0, 1000))
def test_a_distribution_is_that_of_the_actions_that_are_not_masked(num_outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, masked = rng.normal(0, 3, num_outputs), rng.random((2, num_outputs)) < 0.3
    masked[1, 0] = False
    ours, exps = padded(logits), padded(np.full(num_outputs, np.nan))
    log_total, total, entropy = distribution(ours, masked, int64(num_outputs), exps)

    plain = torch.from_numpy(logits).masked_fill(torch.from_numpy(masked[1]), USELESS).log_softmax(0)
    # masked ones are near -1e4, of which float32 keeps three decimals
    assert ours[:num_outputs] - log_total == pytest.approx(plain.numpy(), rel=1e-6, abs=1e-5)
    assert exps[:num_outputs] / total == pytest.approx(plain.exp().numpy(), abs=1e-6)
    assert not exps[:num_outputs][masked[1]].any()
    assert entropy == pytest.approx(losses.entropy(plain[None]).item(), abs=1e-5)
    assert not ours[num_outputs:].any()
    assert not exps[num_outputs:].any()


@given(
    num_outputs=st.integers(1, NUM_COLUMNS),
    num_steps=st.integers(1, 20),
    others=st.integers(0, 20),
    seed=st.integers(0, 1000),
)
def test_gradients_at_the_outputs_are_those_of_the_losses(
    num_outputs: int, num_steps: int, others: int, seed: int
) -> None:
    """Of an input that some steps of a minibatch saw, by autograd in double precision."""
    rng = np.random.default_rng(seed)
    minibatch_size = num_steps + others
    logits, value = rng.normal(0, 1, num_outputs), rng.normal(0, 1, 1)
    action = rng.integers(0, num_outputs, num_steps).astype(np.uint8)
    shifts = rng.normal(0, 0.2, num_steps)
    leaf = torch.tensor(logits, requires_grad=True)
    log_probs = leaf.log_softmax(0)
    log_prob_old = log_probs.detach().numpy()[action] + shifts
    importance, advantage, target = (
        rng.uniform(0.5, 1.5, num_steps),
        rng.normal(0, 1, num_steps),
        rng.normal(0, 1, num_steps),
    )
    floats = [part.astype(np.float32) for part in (log_prob_old, log_prob_old, importance, advantage, target)]
    steps = Steps(
        np.zeros(2, np.int64), np.zeros(0, np.int64), np.zeros((1, 0), np.bool_), np.zeros(num_steps, np.int64), action,
        *floats, np.zeros(1, np.float32),
    )  # fmt: skip
    workspace = new_workspace(1, num_steps, NUM_COLUMNS)
    workspace.order[:] = np.arange(num_steps)
    workspace.rows[0], workspace.bounds[:] = 0, (0, num_steps)
    at_logits, at_value, sums = padded(logits), padded(value), np.zeros(len(METRICS))
    settings = settings_of(RECIPE, 0.0)
    gradients(at_logits, int64(num_outputs), at_value, steps, workspace, int64(minibatch_size), settings, sums)

    log_ratio = log_probs[action.astype(np.int64)] - torch.from_numpy(log_prob_old)
    value_leaf = torch.tensor(value, requires_grad=True)
    terms = {
        "policy_loss": losses.clipped_policy_loss(
            log_ratio, torch.from_numpy(advantage), torch.from_numpy(importance), RECIPE.clip_coef
        ),
        "value_loss": losses.value_loss(value_leaf.expand(num_steps), torch.from_numpy(target)),
        "entropy": losses.entropy(log_probs[None]).mean(),
        "approx_kl": losses.approx_kl(log_ratio.detach()),
        "clip_fraction": losses.clip_fraction(log_ratio.detach(), RECIPE.clip_coef),
    }
    share = num_steps / minibatch_size
    loss = terms["policy_loss"] + RECIPE.vf_coef * terms["value_loss"] - RECIPE.ent_coef * terms["entropy"]
    (share * loss).backward()
    # single precision, of sums of at most 20 terms of about 1
    assert at_logits[:num_outputs] == pytest.approx(leaf.grad.numpy(), abs=2e-6)
    assert at_value[0] == pytest.approx(value_leaf.grad.item(), abs=2e-6)
    assert not at_logits[num_outputs:].any()
    assert not at_value[1:].any()
    for name, total in zip(METRICS, sums, strict=True):
        assert total == pytest.approx(share * terms[name].item(), abs=5e-6), name
