from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ppo import losses


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("ratio", "advantage", "surrogate", "moves"),
    [
        (1.0, 2.0, 2.0, True),
        (1.1, 2.0, 2.2, True),
        (1.5, 2.0, 2.4, False),  # likelier by enough already: clipped
        (0.5, 2.0, 1.0, True),  # a good action became unlikelier: not clipped
        (1.5, -2.0, -3.0, True),  # a bad action became likelier: not clipped
        (0.5, -2.0, -1.6, False),  # unlikelier by enough already: clipped
    ],
)
def test_the_surrogate_is_clipped_where_it_would_be_exploited(
    ratio: float, advantage: float, surrogate: float, moves: bool
) -> None:
    log_ratio = vector(math.log(ratio)).requires_grad_()

    loss = losses.clipped_policy_loss(log_ratio, vector(advantage), vector(1.0), clip_coef=0.2)
    loss.backward()

    assert loss.item() == pytest.approx(-surrogate)
    assert (log_ratio.grad.item() != 0) is moves


def test_steps_of_an_older_policy_weigh_by_importance() -> None:
    loss = losses.clipped_policy_loss(vector(0.0, 0.0), vector(1.0, 1.0), vector(0.5, 2.0), clip_coef=0.2)

    assert loss.item() == pytest.approx(-1.25)


def test_value_loss_is_half_the_mean_squared_error() -> None:
    assert losses.value_loss(vector(1.0, 4.0), vector(0.0, 2.0)).item() == pytest.approx(0.5 * (1 + 4) / 2)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=10))
def test_entropy_is_that_of_the_distribution(logits: list[float]) -> None:
    distribution = torch.distributions.Categorical(logits=vector(*logits))

    assert losses.entropy(vector(*logits).log_softmax(-1)).item() == pytest.approx(distribution.entropy().item())


def test_entropy_is_highest_where_all_is_equal() -> None:
    assert losses.entropy(torch.full((3, 145), -math.log(145))).numpy() == pytest.approx(math.log(145), rel=1e-5)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=10))
def test_the_kl_estimate_is_never_negative(log_ratio: list[float]) -> None:
    assert losses.approx_kl(vector(*log_ratio)).item() >= 0


def test_the_kl_estimate_is_right_on_average() -> None:
    old, new = vector(0.5, 0.3, 0.2), vector(0.4, 0.4, 0.2)
    exact = (old * (old / new).log()).sum().item()
    estimate = sum(p * losses.approx_kl((new / old).log()[i : i + 1]) for i, p in enumerate(old))

    assert estimate.item() == pytest.approx(exact)
    assert losses.approx_kl(vector(0.0, 0.0)).item() == 0


def test_clip_fraction_counts_ratios_outside() -> None:
    ratios = vector(0.79, 0.81, 1.0, 1.19, 1.21)

    assert losses.clip_fraction(ratios.log(), clip_coef=0.2).item() == pytest.approx(2 / 5)


def test_shapes_that_would_broadcast_are_refused() -> None:
    column = torch.zeros(3, 1)
    with pytest.raises(ValueError, match=r"\(3, 1\)"):
        losses.value_loss(torch.zeros(3), column)
    with pytest.raises(ValueError, match="one length"):
        losses.clipped_policy_loss(torch.zeros(3), torch.zeros(3), torch.zeros(1), 0.2)
    with pytest.raises(ValueError, match="one length"):
        losses.approx_kl(column)
