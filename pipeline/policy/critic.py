"""The critic as machine code: what it takes an observation to be worth, without torch and the same on every processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.cage2.facts.order_names import NUM_HOST_TYPES, NUM_WORKFLOWS
from pipeline.cage2.facts.orders import ORDERS
from pipeline.numerics.compiled import kernel
from pipeline.numerics.elementary import tanh

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.policy.params import PolicyShape

    Floats = npt.NDArray[np.float32]


class Critic:
    """A critic that is asked now and then: nothing is remembered.

    Args:
        flat: `[shape.critic.num_values]` float32, in the order of the parameter table.
        shape: The policy's sizes.

    Raises:
        ValueError: `flat` is not of this shape.
    """

    def __init__(self, flat: Floats, shape: PolicyShape) -> None:
        self._parameters = shape.critic.views(np.ascontiguousarray(flat, dtype=np.float32))
        self._size = shape.observation_size

    def value(self, observation: npt.NDArray[np.int8], workflow_id: int) -> float:
        """Return what the critic gives, a float32's value, in its own units (`recipe.reward_scale` of a point).

        Args:
            observation: `[observation_size]` int8 in {0, 1}.
            workflow_id: 0 to 119.

        Raises:
            ValueError: The observation is of another size, or there is no such workflow.
        """
        if observation.shape != (self._size,) or not 0 <= workflow_id < NUM_WORKFLOWS:
            raise ValueError(f"{self._size} bits and a workflow from 0 to {NUM_WORKFLOWS - 1}, not {observation.shape}")
        order = self._size + NUM_HOST_TYPES * np.arange(NUM_HOST_TYPES) + ORDERS[workflow_id]
        ones = np.concatenate((order, np.flatnonzero(observation)))
        return float(_value(ones, *self._parameters.values()))


@kernel
def _value(
    ones: npt.NDArray[np.int64],
    weight_1: Floats,
    bias_1: Floats,
    weight_2: Floats,
    bias_2: Floats,
    weight_3: Floats,
    bias_3: Floats,
) -> float:
    """Return the output for inputs that are 1 at `ones` and 0 elsewhere; weights are `[out, in]`."""
    hidden_1, hidden_2 = bias_1.copy(), bias_2.copy()
    for j in range(len(hidden_1)):
        for i in ones:
            hidden_1[j] += weight_1[j, i]
        hidden_1[j] = tanh(hidden_1[j])
    for j in range(len(hidden_2)):
        for i in range(len(hidden_1)):
            hidden_2[j] += hidden_1[i] * weight_2[j, i]
        hidden_2[j] = tanh(hidden_2[j])
    total = bias_3[0]
    for i in range(len(hidden_2)):
        total += hidden_2[i] * weight_3[0, i]
    return total
