"""A batch as PPO reads it: steps that refer to distinct inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.ppo.distinct import DistinctInputs, distinct_inputs

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline.ppo.batch import Batch


@dataclass(frozen=True, slots=True)
class Samples:
    """`N = B * T` steps that saw `U` distinct inputs.

    The last four are zeros until the update has computed and written them.
    """

    inputs: DistinctInputs
    row: npt.NDArray[np.int64]
    """`[N]`, which of the inputs each step saw."""
    action: npt.NDArray[np.uint8]
    """`[N]`."""
    log_prob_behavior: npt.NDArray[np.float32]
    """`[N]`, of the policy that played."""
    log_prob_old: npt.NDArray[np.float32]
    """`[N]`, of the policy that the update begins with."""
    importance: npt.NDArray[np.float32]
    """`[N]`, how much likelier that policy is to act so than the one that played, bounded."""
    advantage: npt.NDArray[np.float32]
    """`[N]`."""
    target: npt.NDArray[np.float32]
    """`[N]`, for the critic."""

    @classmethod
    def of(cls, batch: Batch) -> Samples:
        """Return a batch's samples.

        Raises:
            ValueError: An observation has a value that is neither 0 nor 1.
        """
        inputs = distinct_inputs(batch.observation, batch.workflow_id)
        num_steps = batch.action.size
        return cls(
            inputs,
            inputs.index[:, :-1].ravel(),
            batch.action.ravel(),
            batch.log_prob.ravel(),
            *(np.zeros(num_steps, np.float32) for _ in range(4)),
        )

    def __len__(self) -> int:
        return len(self.row)
