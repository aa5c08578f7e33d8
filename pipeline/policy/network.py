"""Actor and critic in torch, for the learner: the same parameter table as `forward`, with gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.cage2.facts.names import require
from pipeline.cage2.facts.orders import ONE_HOTS
from pipeline.numerics.linear_algebra import orthonormal
from pipeline.numerics.normal import normals
from pipeline.policy.params import PLAIN, USELESS, Initialisation, MlpShape, PolicyShape

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.cage2.blue.interface import Mask
    from pipeline.policy.params import MlpShape, PolicyShape


class ActorCritic(nn.Module):
    """Two networks that share nothing, each one flat vector: `actor` and `critic`.

    Args:
        actor: `[shape.actor.num_values]` float32.
        critic: `[shape.critic.num_values]` float32.
        shape: The sizes of both.

    Raises:
        ValueError: A vector has another shape.
    """

    def __init__(self, actor: Tensor, critic: Tensor, shape: PolicyShape) -> None:
        super().__init__()
        for name, flat, sizes in (("actor", actor, shape.actor), ("critic", critic, shape.critic)):
            if flat.shape != (sizes.num_values,):
                msg = f"the {name} has {sizes.num_values} values, got a tensor of shape {tuple(flat.shape)}"
                raise ValueError(msg)
        self.shape = shape
        self.actor = nn.Parameter(actor)
        self.critic = nn.Parameter(critic)

    def log_probs(self, inputs: Tensor) -> Tensor:
        """Return the policy.

        Args:
            inputs: `[N, K + 25]` float32, observation and order side by side (`network_inputs`).

        Returns:
            `[N, A]` float32, in nats.
        """
        logits = _mlp(self.actor, self.shape.actor, inputs)  # [N, A]
        if self.shape.mask:
            logits = logits.masked_fill(useless(self.shape.mask, inputs), USELESS)
        return functional.log_softmax(logits, dim=-1)

    def values(self, inputs: Tensor) -> Tensor:
        """Return the critic's values.

        Args:
            inputs: As in `log_probs`.

        Returns:
            `[N]` float32, in the units that it is trained on.
        """
        return _mlp(self.critic, self.shape.critic, inputs).squeeze(-1)

    def copy_to(self, device: torch.device | str) -> ActorCritic:
        """Return a copy on a device that shares no memory with this one."""
        actor, critic = (weights.detach().to(device, copy=True) for weights in (self.actor, self.critic))
        return ActorCritic(actor, critic, self.shape)

    def actor_weights(self) -> npt.NDArray[np.float32]:
        """Return a copy of the actor, `[shape.actor.num_values]` float32: what a weight board publishes."""
        return self.actor.detach().to("cpu", copy=True).numpy()


def network_inputs(
    observations: npt.NDArray[np.int8], workflow_id: npt.NDArray[np.int64] | int, device: torch.device
) -> Tensor:
    """Return observations and their orders side by side.

    Args:
        observations: `[N, K]` int8.
        workflow_id: `[N]` int64, 0 to 119, or one for all.
        device: Where the result lies.

    Returns:
        `[N, K + 25]` float32.
    """
    orders = ONE_HOTS[np.broadcast_to(workflow_id, len(observations))]
    return torch.from_numpy(np.concatenate([observations, orders], axis=1, dtype=np.float32)).to(device)


def useless(mask: Mask, inputs: Tensor) -> Tensor:
    """Return which actions a mask gives probability 0.

    Args:
        mask: The policy's.
        inputs: `[N, K...]`, the observations, whatever stands beside them.

    Returns:
        `[N, A]` bool.
    """
    always, never = inputs.shape[1], inputs.shape[1] + 1
    ends = torch.tensor([True, False], device=inputs.device).expand(len(inputs), 2)
    is_set = torch.cat([inputs != 0, ends], dim=1)  # [N, K... + 2]
    cause = [always if bit is None else bit for bit in mask.cause]
    spent = [never if bit is None else bit for bit in mask.spent]
    return ~is_set[:, cause] | is_set[:, spent]


def create(generator: np.random.Generator, initialisation: Initialisation, shape: PolicyShape = PLAIN) -> ActorCritic:
    """Return a fresh network, a function of its arguments, the same on every processor.

    Raises:
        UnknownNameError: There is no such initialisation.
    """
    require("initialisation", initialisation, get_args(Initialisation))
    return ActorCritic(
        _initial(shape.actor, 0.01, initialisation, generator),
        _initial(shape.critic, 1.0, initialisation, generator),
        shape,
    )


def _mlp(flat: Tensor, shape: MlpShape, inputs: Tensor) -> Tensor:
    weight_1, bias_1, weight_2, bias_2, weight_3, bias_3 = _parameters(flat, shape)
    hidden = torch.tanh(functional.linear(inputs, weight_1, bias_1))  # [N, H]
    hidden = torch.tanh(functional.linear(hidden, weight_2, bias_2))  # [N, H]
    return functional.linear(hidden, weight_3, bias_3)  # [N, outputs]


def _parameters(flat: Tensor, shape: MlpShape) -> list[Tensor]:
    # one split: its gradient is one concatenation, where a slice per parameter would sum six padded vectors
    parts = torch.split(flat, list(shape.sizes))
    return [part.view(size) for part, size in zip(parts, shape.table.values(), strict=True)]


def _initial(
    shape: MlpShape, head_gain: float, initialisation: Initialisation, generator: np.random.Generator
) -> Tensor:
    flat = np.zeros(shape.num_values, np.float32)
    parameters = list(shape.views(flat).values())
    gains = (math.sqrt(2.0), math.sqrt(2.0), head_gain)
    for weight, bias, gain in zip(parameters[::2], parameters[1::2], gains, strict=True):
        if initialisation == "orthogonal":
            weight[:] = gain * _orthogonal(generator, *weight.shape)
        else:
            for parameter in (weight, bias):
                parameter[:] = (2.0 * generator.random(parameter.shape) - 1.0) / math.sqrt(weight.shape[1])
    return torch.from_numpy(flat)


def _orthogonal(generator: np.random.Generator, num_rows: int, num_columns: int) -> npt.NDArray[np.float64]:
    """Return `[num_rows, num_columns]` whose rows are orthonormal, or where they are too many, whose columns are."""
    if num_rows > num_columns:
        return _orthogonal(generator, num_columns, num_rows).T
    return orthonormal(normals(generator, num_rows, num_columns))
