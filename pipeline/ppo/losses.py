"""The terms of PPO's loss, and what is watched while it falls. Pure functions on tensors.

`N` steps, `A` actions. `log_ratio` is `log pi(a) - log pi_old(a)`, where `pi_old` is the policy that the
update began with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def clipped_policy_loss(log_ratio: Tensor, advantages: Tensor, importance: Tensor, clip_coef: float) -> Tensor:
    """Return PPO's clipped surrogate loss (Schulman et al. 2017, arXiv:1707.06347, equation 7).

    With a policy lag, the actions were drawn from an older policy than the one the update must stay close to.
    Each is then weighted by how much likelier `pi_old` was to take it (the decoupled objective of Hilton et
    al. 2022, arXiv:2110.00641).

    Args:
        log_ratio: `[N]`.
        advantages: `[N]`.
        importance: `[N]`, `pi_old(a) / pi_behavior(a)`; 1 without a lag.
        clip_coef: How far the ratio may move before its gradient stops.

    Returns:
        Scalar, to be minimised.
    """
    _require_vectors(log_ratio, advantages, importance)
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1.0 - clip_coef, 1.0 + clip_coef)
    return -(importance * torch.minimum(ratio * advantages, clipped * advantages)).mean()


def value_loss(values: Tensor, targets: Tensor) -> Tensor:
    """Return half the mean squared error of `values` from `targets`, both `[N]`, as a scalar.

    Not clipped: Andrychowicz et al. 2021 (arXiv:2006.05990) found that clipping it does not help.
    """
    _require_vectors(values, targets)
    return 0.5 * (values - targets).square().mean()


def entropy(log_probs: Tensor) -> Tensor:
    """Return the entropy of each distribution, in nats.

    Args:
        log_probs: `[..., A]`, finite.

    Returns:
        `[...]`.
    """
    return -(log_probs.exp() * log_probs).sum(dim=-1)


def approx_kl(log_ratio: Tensor) -> Tensor:
    """Return an estimate of `KL(pi_old, pi)` in nats, never negative and of low variance.

    Source: J. Schulman, "Approximating KL divergence", 2020 (joschu.net/blog/kl-approx.html): its k3.

    Args:
        log_ratio: `[N]`, at actions that were drawn from about `pi_old`.

    Returns:
        Scalar.
    """
    _require_vectors(log_ratio)
    return (log_ratio.expm1() - log_ratio).mean()


def clip_fraction(log_ratio: Tensor, clip_coef: float) -> Tensor:
    """Return the share of `[N]` steps whose ratio lies outside `1 +- clip_coef`, as a scalar."""
    _require_vectors(log_ratio)
    return (log_ratio.expm1().abs() > clip_coef).to(log_ratio.dtype).mean()


def _require_vectors(*tensors: Tensor) -> None:
    if any(tensor.ndim != 1 or tensor.shape != tensors[0].shape for tensor in tensors):
        msg = f"expected vectors of one length, got shapes {[tuple(tensor.shape) for tensor in tensors]}"
        raise ValueError(msg)
