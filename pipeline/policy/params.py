"""The one table of a network's parameters: names, shapes, and where each lies in the flat vector.

    [observation | order 25] -> hidden_1, tanh -> hidden_2, tanh -> head: a logit per action, or 1 value

How much is observed and how many actions there are depends on the interface; plainly it is 52 and 145. The hidden
layers have 64 units each unless somebody says otherwise.

A network *is* its flat float32 vector: what the optimizer steps, what the weight board publishes, what a
checkpoint holds and what a worker reads are the same numbers in the same order. Weights are `[out, in]`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, ORDER_SIZE, order_name
from pipeline.cage2.facts.spec import NUM_ACTIONS, OBSERVATION_SIZE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from pipeline.cage2.blue.interface import Interface, Mask

HiddenSizes: TypeAlias = tuple[int, int]
"""Units of the first and of the second hidden layer: `H1`, `H2`."""
HIDDEN_SIZES: Final[HiddenSizes] = (64, 64)
"""Where nobody says otherwise."""
HIDDEN_STEP: Final = 32
"""What every hidden size is a multiple of, for the sake of machine code (`numerics.matrix.TILE`)."""
MAX_HIDDEN_SIZE: Final = 1024
Initialisation: TypeAlias = Literal["orthogonal", "uniform"]
"""How first weights are drawn. `orthogonal`: gain sqrt(2) in hidden layers, 0.01 in the actor's head, 1 in the
critic's; biases 0 (Engstrom et al. 2020, arXiv:2005.12729; CleanRL's `ppo.py`). `uniform`: +-1 / sqrt(inputs), as
`torch.nn.Linear` does."""
SHARED_POLICY: Final = NUM_WORKFLOWS
"""In the place of a workflow's id: the one policy that serves all orders."""
USELESS: Final = -1e4
"""The logit of an action that is masked: its probability is 0, and times its logarithm still 0."""


@dataclass(frozen=True, slots=True)
class MlpShape:
    """The sizes of one network, from which its parameter table follows.

    Raises:
        ValueError: A hidden size is no multiple of `HIDDEN_STEP`.
    """

    num_outputs: int
    observation_size: int = OBSERVATION_SIZE
    hidden_sizes: HiddenSizes = HIDDEN_SIZES

    def __post_init__(self) -> None:
        if any(size < HIDDEN_STEP or size % HIDDEN_STEP for size in self.hidden_sizes):
            raise ValueError(f"hidden layers have multiples of {HIDDEN_STEP} units, not {self.hidden_sizes}")

    @property
    def table(self) -> dict[str, tuple[int, ...]]:
        """Name to shape, in the order of the flat vector."""
        size_1, size_2 = self.hidden_sizes
        return {
            "hidden_1.weight": (size_1, self.observation_size + ORDER_SIZE),
            "hidden_1.bias": (size_1,),
            "hidden_2.weight": (size_2, size_1),
            "hidden_2.bias": (size_2,),
            "head.weight": (self.num_outputs, size_2),
            "head.bias": (self.num_outputs,),
        }

    @property
    def sizes(self) -> tuple[int, ...]:
        """Values of each parameter, in the order of the table."""
        return tuple(math.prod(shape) for shape in self.table.values())

    @property
    def num_values(self) -> int:
        """Length of the flat vector."""
        return sum(self.sizes)

    def views(self, flat: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Return each parameter as a view of the flat vector.

        Args:
            flat: `[num_values]` float32.

        Returns:
            Name to an array of the table's shape, sharing `flat`'s memory.

        Raises:
            ValueError: `flat` has another shape.
        """
        if flat.shape != (self.num_values,):
            msg = f"this network has {self.num_values} values, got an array of shape {flat.shape}"
            raise ValueError(msg)
        views, start = {}, 0
        for (name, shape), size in zip(self.table.items(), self.sizes, strict=True):
            views[name] = flat[start : start + size].reshape(shape)
            start += size
        return views


@dataclass(frozen=True, slots=True)
class PolicyShape:
    """The sizes of a policy, and its mask: actor and critic see the same."""

    observation_size: int = OBSERVATION_SIZE
    num_actions: int = NUM_ACTIONS
    mask: Mask | None = None
    """When an action has probability 0; None: never."""
    hidden_sizes: HiddenSizes = HIDDEN_SIZES

    @classmethod
    def of(cls, interface: Interface, hidden_sizes: HiddenSizes = HIDDEN_SIZES) -> Self:
        """Return the sizes of a policy with an interface."""
        return cls(interface.observation_size, interface.num_actions, interface.mask, hidden_sizes)

    @property
    def actor(self) -> MlpShape:
        """The network that gives a logit per action; plainly 18,577 values: 74,308 bytes per weight version."""
        return MlpShape(self.num_actions, self.observation_size, self.hidden_sizes)

    @property
    def critic(self) -> MlpShape:
        """The network that gives one value."""
        return MlpShape(1, self.observation_size, self.hidden_sizes)


PLAIN = PolicyShape()
"""That of CybORG's own observation and actions."""


def policy_name(workflow_id: int) -> str:
    """Return whose policy it is: an order's name, or `all orders`."""
    return "all orders" if workflow_id == SHARED_POLICY else order_name(workflow_id)
