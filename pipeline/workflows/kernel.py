"""How alike two workflows are: Gaussian-process kernels over orders, as gpytorch modules.

- *Mallows* (Jiao and Vert, 2015): `exp(-sum over pairs of l_ij * [the orders disagree about i and j])`, a product of
  one positive definite factor per pair. With `l_ij = 0` for the pairs of a host type, that type makes no difference,
  and orders that differ in its place alone are one.
- *Position*: `sum over positions of w_p * [both orders have the same type at p]`, for landscapes where it matters who
  stands where, first above all, rather than who stands before whom.

A kernel here is a batch: one leading dimension counts the models, whose parameters are fixed. Nothing is optimised;
`models` says which parameters there are, and `fit` weighs them.

Sums are written out, term by term, and exp is the project's own: a product of matrices, or torch's exp, would round
otherwise from one processor to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from gpytorch.kernels import Kernel

from pipeline.cage2.facts.order_names import NUM_HOST_TYPES, NUM_PAIRS, ORDER_SIZE
from pipeline.cage2.facts.orders import ONE_HOTS, PRECEDENCES
from pipeline.numerics.elementary64 import each_exp

if TYPE_CHECKING:
    from collections.abc import Sequence

NUM_FEATURES: Final = NUM_PAIRS + ORDER_SIZE
"""Values by which a kernel sees an order: 10 precedences, then 25 one-hot values."""

_FEATURES: Final = torch.from_numpy(np.hstack([PRECEDENCES, ONE_HOTS]).astype(np.float64))


class MallowsKernel(Kernel):  # type: ignore[misc]  # gpytorch ships no types
    """`exp(-sum of decay_ij over the pairs that two orders disagree about)`.

    Inputs are precedences, `[..., n, 10]` in {0, 1}.

    Args:
        decay: `[M, 10]` float64, `>= 0`: what a disagreement about each pair costs, in nats of correlation.
    """

    def __init__(self, decay: torch.Tensor, **kwargs: Any) -> None:
        super().__init__(batch_shape=decay.shape[:1], **kwargs)
        self.register_buffer("decay", decay)

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **_: Any) -> torch.Tensor:
        """Return the kernel's `[M, n, m]` matrices, or their `[M, n]` diagonals."""
        apart = (x1 - x2).abs() if diag else (x1[..., :, None, :] - x2[..., None, :, :]).abs()  # [..., n, m, 10]
        return torch.from_numpy(each_exp(-_weighted_sum(self.decay, apart, diag=diag).numpy()))


class PositionKernel(Kernel):  # type: ignore[misc]  # gpytorch ships no types
    """`sum of weight_p over the positions where two orders agree`.

    Inputs are one-hot orders, `[..., n, 25]` in {0, 1}, position-major.

    Args:
        weight: `[M, 5]` float64, `>= 0`: the variance that each position accounts for.
    """

    def __init__(self, weight: torch.Tensor, **kwargs: Any) -> None:
        super().__init__(batch_shape=weight.shape[:1], **kwargs)
        self.register_buffer("weight", weight)

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **_: Any) -> torch.Tensor:
        """Return the kernel's `[M, n, m]` matrices, or their `[M, n]` diagonals."""
        x1, x2 = (x.reshape(*x.shape[:-1], NUM_HOST_TYPES, NUM_HOST_TYPES) for x in (x1, x2))  # [..., n, 5, 5]
        both = x1 * x2 if diag else x1[..., :, None, :, :] * x2[..., None, :, :, :]
        return _weighted_sum(self.weight, both.sum(-1), diag=diag)  # of ones and zeros: exact


class OrderKernel(Kernel):  # type: ignore[misc]  # gpytorch ships no types
    """`share * Mallows + Position + rest * Mallows over all pairs`; inputs are `[..., n, 35]` from `features`.

    Args:
        share: `[M]` float64, `>= 0`: variance of the Mallows part.
        decay: `[M, 10]` float64, of the Mallows part.
        weight: `[M, 5]` float64, of the position part.
        rest: `[M]` float64, `>= 0`: variance of what the other two parts leave unexplained.
        rest_decay: Of the rest, the same for all pairs.
    """

    def __init__(
        self,
        *,
        share: torch.Tensor,
        decay: torch.Tensor,
        weight: torch.Tensor,
        rest: torch.Tensor,
        rest_decay: float,
    ) -> None:
        super().__init__(batch_shape=share.shape)
        pairs = tuple(range(NUM_PAIRS))
        self.mallows = MallowsKernel(decay, active_dims=pairs)
        self.position = PositionKernel(weight, active_dims=tuple(range(NUM_PAIRS, NUM_FEATURES)))
        self.smooth = MallowsKernel(torch.full_like(decay, rest_decay), active_dims=pairs)
        self.register_buffer("share", share)
        self.register_buffer("rest", rest)

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **params: Any) -> torch.Tensor:
        """Return the kernel's `[M, n, m]` matrices, or their `[M, n]` diagonals."""

        def dense(kernel: Kernel) -> torch.Tensor:
            values = kernel(x1, x2, diag=diag, **params)
            matrix: torch.Tensor = values if diag else values.to_dense()
            return matrix

        each = (...,) + (None,) * (1 if diag else 2)
        mallows, rest = self.share[each] * dense(self.mallows), self.rest[each] * dense(self.smooth)
        total: torch.Tensor = dense(self.position) + mallows + rest
        return total


def features(workflow_ids: Sequence[int]) -> torch.Tensor:
    """Return orders as the kernels see them.

    Args:
        workflow_ids: `n` ids, each 0 to 119.

    Returns:
        `[n, 35]` float64 in {0, 1}: precedences, then the one-hot order.
    """
    return _FEATURES[list(workflow_ids)]


def _weighted_sum(weights: torch.Tensor, terms: torch.Tensor, *, diag: bool) -> torch.Tensor:
    """Return the sum of `[..., n, m, d]` terms (`diag`: `[..., n, d]`), each times its weight, one after the other.

    Args:
        weights: `[M, d]` float64.
        terms: What is summed over its last dimension.
        diag: Whether it has one dimension less.
    """
    weights = weights[:, None] if diag else weights[:, None, None]
    total = weights[..., 0] * terms[..., 0]
    for k in range(1, weights.shape[-1]):
        total += weights[..., k] * terms[..., k]
    return total
