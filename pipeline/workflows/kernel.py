"""How alike two workflows are: a Gaussian-process kernel over orders.

Two parts, added, because they generalise in different ways:

- *Mallows* (Jiao and Vert, 2015): `s * exp(-sum over pairs of l_ij * [the orders disagree about i and j])`, a
  product of one positive definite factor per pair. Each pair has its own `l_ij`, so a pair that makes no
  difference can be learned to make none, and orders that differ in it alone become one.
- *Position*: `sum over positions of w_p * [both orders have the same type at p]`, for landscapes where it
  matters who stands where, first above all, rather than who stands before whom.

All hyper-parameters have priors and are optimised as logarithms, within bounds that keep every covariance
matrix well conditioned. Targets are expected with a standard deviation near 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from gpytorch.constraints import Interval
from gpytorch.kernels import Kernel, ScaleKernel
from gpytorch.priors import GammaPrior

from pipeline.workflows.orders import NUM_HOST_TYPES, NUM_PAIRS, ONE_HOTS, ORDER_SIZE, PRECEDENCES

if TYPE_CHECKING:
    from collections.abc import Sequence

NUM_FEATURES: Final = NUM_PAIRS + ORDER_SIZE
"""Values by which the kernel sees an order: 10 precedences, then 25 one-hot values."""

_FEATURES: Final = torch.from_numpy(np.hstack([PRECEDENCES, ONE_HOTS]).astype(np.float64))


class LogInterval(Interval):  # type: ignore[misc]  # gpytorch ships no types
    """A positive parameter that is optimised as its logarithm; the optimiser keeps to `raw_bounds`."""

    def __init__(self, lower: float, upper: float) -> None:
        super().__init__(lower, upper, transform=torch.exp, inv_transform=torch.log)
        # Interval keeps them in torch's default dtype.
        self.lower_bound = torch.tensor(lower, dtype=torch.float64)
        self.upper_bound = torch.tensor(upper, dtype=torch.float64)

    @property
    def raw_bounds(self) -> tuple[float, float]:
        """The bounds of the logarithm."""
        return self.lower_bound.log().item(), self.upper_bound.log().item()

    def transform(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the parameter of its logarithm."""
        return tensor.exp()

    def inverse_transform(self, transformed_tensor: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the parameter."""
        return transformed_tensor.log()


class MallowsKernel(Kernel):  # type: ignore[misc]  # gpytorch ships no types
    """`exp(-sum of decay_ij over the pairs that two orders disagree about)`.

    Inputs are precedences, `[..., n, 10]` in {0, 1}.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_parameter("raw_decay", _log_parameter(0.25, NUM_PAIRS))
        self.register_constraint("raw_decay", LogInterval(1e-4, 10.0))
        self.register_prior("decay_prior", gamma_prior(1.5, 4.0), lambda kernel: kernel.decay)

    @property
    def decay(self) -> torch.Tensor:
        """`[10]` float64, positive: what a disagreement about each pair costs, in nats of correlation."""
        return self.raw_decay_constraint.transform(self.raw_decay)  # type: ignore[no-any-return]

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **_: Any) -> torch.Tensor:
        """Return the kernel's `[..., n, m]` matrix, or its `[..., n]` diagonal."""
        if diag:
            return torch.exp(-((x1 - x2).abs() @ self.decay))
        weighted = x1 * self.decay
        # |a - b| = a (1 - b) + (1 - a) b for values in {0, 1}: two products, and no square root to
        # differentiate at 0.
        disagreement = weighted @ (1 - x2).mT + (self.decay - weighted) @ x2.mT
        return torch.exp(-disagreement)


class PositionKernel(Kernel):  # type: ignore[misc]  # gpytorch ships no types
    """`sum of weight_p over the positions where two orders agree`.

    Inputs are one-hot orders, `[..., n, 25]` in {0, 1}, position-major.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_parameter("raw_weight", _log_parameter(0.1, NUM_HOST_TYPES))
        self.register_constraint("raw_weight", LogInterval(1e-4, 100.0))
        self.register_prior("weight_prior", gamma_prior(1.0, 4.0), lambda kernel: kernel.weight)

    @property
    def weight(self) -> torch.Tensor:
        """`[5]` float64, positive: the variance that each position accounts for."""
        return self.raw_weight_constraint.transform(self.raw_weight)  # type: ignore[no-any-return]

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **_: Any) -> torch.Tensor:
        """Return the kernel's `[..., n, m]` matrix, or its `[..., n]` diagonal."""
        weighted = x1 * self.weight.repeat_interleave(NUM_HOST_TYPES)
        return (weighted * x2).sum(-1) if diag else weighted @ x2.mT


class OrderKernel(Kernel):  # type: ignore[misc]  # gpytorch ships no types
    """The sum of a scaled Mallows part and a position part; inputs are `[..., n, 35]` from `features`."""

    def __init__(self) -> None:
        super().__init__()
        self.mallows = ScaleKernel(
            MallowsKernel(active_dims=tuple(range(NUM_PAIRS))),
            outputscale_prior=gamma_prior(2.0, 1.5),
            outputscale_constraint=LogInterval(1e-3, 100.0),
        ).double()
        self.mallows.outputscale = torch.tensor(0.8, dtype=torch.float64)
        self.position = PositionKernel(active_dims=tuple(range(NUM_PAIRS, NUM_FEATURES)))

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **params: Any) -> Any:
        """Return the kernel's `[..., n, m]` matrix (lazily), or its `[..., n]` diagonal."""
        return self.mallows(x1, x2, diag=diag, **params) + self.position(x1, x2, diag=diag, **params)


def features(workflow_ids: Sequence[int]) -> torch.Tensor:
    """Return orders as the kernel sees them.

    Args:
        workflow_ids: `n` ids, each 0 to 119.

    Returns:
        `[n, 35]` float64 in {0, 1}: precedences, then the one-hot order.
    """
    return _FEATURES[list(workflow_ids)]


def gamma_prior(shape: float, rate: float) -> GammaPrior:
    """Return a Gamma prior in float64. Its mean is `shape / rate`, its mode `(shape - 1) / rate`."""
    return GammaPrior(torch.tensor(shape, dtype=torch.float64), torch.tensor(rate, dtype=torch.float64))


def _log_parameter(value: float, size: int) -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.full((size,), value, dtype=torch.float64).log())
