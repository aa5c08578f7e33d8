"""A gradient step, compiled: the gradient's norm is limited, then Adam's step is taken.

As `torch.nn.utils.clip_grad_norm_` and `torch.optim.Adam` do it (Kingma and Ba 2015, arXiv:1412.6980), to rounding.
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

_CLIP_EPS = 1e-6
"""Keeps a gradient of norm 0 from a division by 0."""


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
        gradient = gradients[i] * scale
        mean[i] += new_1 * (gradient - mean[i])
        mean_square[i] = mean_square[i] * keep_2 + new_2 * gradient * gradient
        weights[i] -= rate * (mean[i] / (np.sqrt(mean_square[i]) * root + eps))


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
    """Return `base ** exponent`, 0 or more, by squaring: the C library's gives other bits on other processors."""
    result = 1.0
    while exponent > 0:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result
