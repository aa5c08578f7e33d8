"""A gradient step, compiled: the gradient's norm is limited, then Adam's step is taken.

As `torch.nn.utils.clip_grad_norm_` and `torch.optim.Adam` do it (Kingma and Ba 2015, arXiv:1412.6980), to rounding, and
but for this: what is too small to move a weight is 0. The moments of a weight whose gradient has become 0, that of an
input that is seen no more, would fade into subnormal numbers, which are slow, and stay there: of the smallest, a tenth
rounds to 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.numerics.compiled import compiled
from pipeline.numerics.lanes import add_products, broadcast, load, reduce_sum
from pipeline.numerics.lanes_code import WIDTH

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.ppo.compiled.mlp import Mlp

_ZERO = np.float32(0.0)
_CLIP_EPS = 1e-6
"""Keeps a gradient of norm 0 from a division by 0."""
_LEAST = np.float32(1e-17)
"""Smaller gradients and means are 0: their steps would be below 1e-11. Squared it is a normal number, also times
`1 - beta_2`."""
_LEAST_SQUARE = np.float32(1e-34)
"""Smaller means of squares are 0: beside any `adam_eps` their root is nothing."""
_LEAST_POWER = 1e-100
"""Times another one it is a normal number."""


@compiled
def step(mlp: Mlp, num_steps: int, settings: Any) -> None:
    """Move a network's weights, and Adam's moments, by `mlp.gradient`.

    Args:
        mlp: The network.
        num_steps: Adam's steps so far, this one included.
        settings: `learning_rate`, `beta_1`, `beta_2`, `adam_eps` and `max_grad_norm`, float64.
    """
    limit = settings.max_grad_norm / (norm(mlp.gradient) + _CLIP_EPS)
    scale = np.float32(min(limit, 1.0))
    keep_2 = np.float32(settings.beta_2)
    new_1, new_2 = np.float32(1.0 - settings.beta_1), np.float32(1.0 - settings.beta_2)
    rate = np.float32(settings.learning_rate / (1.0 - power(settings.beta_1, num_steps)))
    root = np.float32(1.0 / math.sqrt(1.0 - power(settings.beta_2, num_steps)))
    eps = np.float32(settings.adam_eps)
    weights, mean, mean_square, gradients = mlp.weights, mlp.mean, mlp.mean_square, mlp.gradient
    for i in range(len(weights)):
        gradient = _or_zero(gradients[i] * scale, _LEAST)
        mean[i] = _or_zero(mean[i] + new_1 * (gradient - mean[i]), _LEAST)
        mean_square[i] = _or_zero(mean_square[i] * keep_2 + new_2 * gradient * gradient, _LEAST_SQUARE)
        weights[i] -= rate * (mean[i] / (np.sqrt(mean_square[i]) * root + eps))


@compiled
def _or_zero(value: np.float32, least: np.float32) -> np.float32:
    """Return a value, or 0 if it is smaller than `least`; what is not a number stays so."""
    return _ZERO if abs(value) < least else value


@compiled
def norm(values: npt.NDArray[np.float32]) -> float:
    """Return the Euclidean norm of `[...]` float32, as many as a multiple of `WIDTH`."""
    squares = broadcast(np.float32(0.0))
    for i in range(0, len(values), WIDTH):
        lanes = load(values, i)
        squares = add_products(squares, lanes, lanes)
    return np.float64(np.sqrt(reduce_sum(squares)))  # the root of a float32 is one: `math.sqrt`'s is not, uncompiled


@compiled
def power(base: float, exponent: int) -> float:
    """Return `base ** exponent`, 0 or more, by squaring: the C library's gives other bits on other processors.

    A power below `_LEAST_POWER` is 0.
    """
    result = 1.0
    while exponent > 0:
        if exponent & 1:
            result *= base
            result = 0.0 if result < _LEAST_POWER else result
        base *= base
        base = 0.0 if base < _LEAST_POWER else base
        exponent >>= 1
    return result
