"""The actor in NumPy, for workers: which action, with which log-probability, without torch.

An action is a function of the weights, the workflow, the observation and one uniform number. Every pass has
one row, so that its rounding never depends on what else is computed beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.policy.params import ACTOR, MlpShape

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_MEMO = 2048
"""Observations that an actor remembers: all that a trained policy meets, in 4 MB."""


class NumpyActor:
    """One version of one workflow's actor.

    The order is the same at every step, so its share of the first layer is added to the bias once.
    Distributions are remembered by observation: few are distinct (hundreds in thousands of steps), so nearly
    every step is a look-up.

    Args:
        flat: `[shape.num_values]` float32, in the order of the parameter table; copied.
        order_one_hot: `[shape.order_size]` float32.
        shape: The network's sizes.
    """

    def __init__(
        self, flat: npt.NDArray[np.float32], order_one_hot: npt.NDArray[np.float32], shape: MlpShape = ACTOR
    ) -> None:
        parameters = shape.views(np.array(flat, dtype=np.float32))
        weight_1 = parameters["hidden_1.weight"]  # [H, K + O]
        self._weight_1 = np.ascontiguousarray(weight_1[:, : shape.observation_size])  # [H, K]
        self._bias_1 = parameters["hidden_1.bias"] + weight_1[:, shape.observation_size :] @ order_one_hot
        self._weight_2, self._bias_2 = parameters["hidden_2.weight"], parameters["hidden_2.bias"]
        self._weight_3, self._bias_3 = parameters["head.weight"], parameters["head.bias"]
        self._memo: dict[bytes, tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]] = {}

    def distribution(
        self, observation: npt.NDArray[np.int8]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Return the policy at one observation.

        Args:
            observation: `[K]` int8.

        Returns:
            `(log_probs, cumulative)`: `[A]` float32 in nats, and `[A]` float64 whose last value is exactly 1.
            Shared with later calls, and read-only.
        """
        key = observation.tobytes()
        remembered = self._memo.get(key)
        if remembered is None:
            if len(self._memo) == MAX_MEMO:
                self._memo.clear()
            remembered = self._memo[key] = self._compute(observation)
        return remembered

    def sample(self, observation: npt.NDArray[np.int8], uniform: float) -> tuple[int, np.float32]:
        """Draw an action.

        Args:
            observation: `[K]` int8.
            uniform: In [0, 1).

        Returns:
            `(action, log_prob)`: its log-probability is float32, in nats.
        """
        log_probs, cumulative = self.distribution(observation)
        action = sample(cumulative, uniform)
        return action, log_probs[action]

    def _compute(self, observation: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        hidden = np.tanh(self._weight_1 @ observation.astype(np.float32) + self._bias_1)  # [H]
        hidden = np.tanh(self._weight_2 @ hidden + self._bias_2)  # [H]
        logits = self._weight_3 @ hidden + self._bias_3  # [A]
        shifted = logits - logits.max()
        log_probs = shifted - np.log(np.exp(shifted).sum())
        cumulative = np.cumsum(np.exp(log_probs, dtype=np.float64))
        cumulative /= cumulative[-1]
        log_probs.flags.writeable = cumulative.flags.writeable = False
        return log_probs, cumulative


def sample(cumulative: npt.NDArray[np.float64], uniform: float) -> int:
    """Return the action whose share of [0, 1) holds `uniform`: the inverse of the distribution function.

    An action of probability 0 has an empty share and is never returned.

    Args:
        cumulative: `[A]` float64, not decreasing, the last value 1.
        uniform: In [0, 1).
    """
    return int(cumulative.searchsorted(uniform, side="right"))
