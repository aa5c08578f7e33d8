"""What an action was worth: discounted returns and generalised advantages. Pure functions on NumPy arrays.

Every row is one episode, from reset to horizon, and nothing crosses from one row to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt


def discounted_returns(rewards: npt.NDArray[np.floating], gamma: float) -> npt.NDArray[np.float64]:
    """Return the sum of what follows each action, discounted, up to the end of its episode.

    Args:
        rewards: `[B, T]`, what each action was answered with.
        gamma: Discount per step, 0 to 1.

    Returns:
        `[B, T]` float64: `G[t] = rewards[t] + gamma * G[t + 1]`, with nothing after the last step.
    """
    return gae(rewards, np.zeros((len(rewards), rewards.shape[1] + 1)), gamma, gae_lambda=1.0)


def gae(
    rewards: npt.NDArray[np.floating],
    values: npt.NDArray[np.floating],
    gamma: float,
    gae_lambda: float,
) -> npt.NDArray[np.float64]:
    """Return generalised advantage estimates (Schulman et al. 2016, arXiv:1506.02438, equation 16).

    An episode ends because its time is up, not because the game is over, so its tail is worth `values[:, T]`
    (Pardo et al. 2018, arXiv:1712.00378). Whoever wants an end that is worth nothing passes 0 there.

    Args:
        rewards: `[B, T]`, what each action was answered with.
        values: `[B, T + 1]`, estimates at the observation before each action and at the one after the last.
        gamma: Discount per step, 0 to 1.
        gae_lambda: 0 for one-step advantages, 1 for returns less values.

    Returns:
        `[B, T]` float64. Added to `values[:, :T]` they are the critic's targets.

    Raises:
        ValueError: The shapes don't fit.
    """
    if rewards.ndim != 2 or values.shape != (rewards.shape[0], rewards.shape[1] + 1):
        msg = f"rewards [B, T] need values [B, T + 1]: got {rewards.shape} and {values.shape}"
        raise ValueError(msg)
    deltas: npt.NDArray[np.float64] = rewards + gamma * values[:, 1:].astype(np.float64) - values[:, :-1]  # [B, T]
    _sum_backwards(deltas, gamma * gae_lambda)
    return deltas


@kernel
def _sum_backwards(values: npt.NDArray[np.float64], decay: float) -> None:
    """Add to each value of `[B, T]` `decay` times what its successor has become."""
    for row in range(len(values)):
        for t in range(values.shape[1] - 2, -1, -1):
            values[row, t] += decay * values[row, t + 1]
