"""The episodes of one update, row by row, and what they were like.

    slot (shared memory) --put--> row of a batch (own memory) --> statistics, PPO

A row is filled as soon as its slot is, in whatever order slots fill; what is read from a full batch depends
on its rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cage2.facts.compliance import alignment_bonus, episode_compliance
from pipeline.cage2.facts.spec import OBSERVATION_SIZE
from pipeline.errors import TravellingError
from pipeline.estimates import estimate_of_tenths

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from pipeline.types import Estimate


class BatchNotFullError(TravellingError, RuntimeError):
    """An update was asked for before all episodes were there."""

    def __init__(self, num_filled: int, num_episodes: int) -> None:
        super().__init__(
            f"{num_filled} of the batch's {num_episodes} episodes are there: put the others before it is read"
        )


class RowFilledError(TravellingError, RuntimeError):
    """A row was put twice: two slots claim to be the same episode."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} of the batch is already filled: clear the batch before it is used again")


@dataclass(frozen=True, slots=True)
class BatchStatistics:
    """A batch in numbers; rewards in points per episode."""

    num_episodes: int
    env_reward: Estimate
    alignment_bonus: float
    total_reward: float
    """Env reward plus alignment bonus: what PPO is trained on."""
    compliance: float
    """0 to 1."""
    avg_fixes: float
    """Fix actions per episode."""


class Batch:
    """Room for `B` episodes of `T` steps, allocated once and used for one update after another.

    Args:
        num_episodes: `B`.
        num_steps: `T`.
        observation_size: `K`, bits.
    """

    def __init__(self, num_episodes: int, num_steps: int, observation_size: int = OBSERVATION_SIZE) -> None:
        self.num_episodes = num_episodes
        self.num_steps = num_steps
        self.observation = np.zeros((num_episodes, num_steps + 1, observation_size), np.int8)
        """In {0, 1}; row `T` is what Blue sees after its last action."""
        self.action = np.zeros((num_episodes, num_steps), np.uint8)
        self.log_prob = np.zeros((num_episodes, num_steps), np.float32)
        """Of the behavior policy, in nats."""
        self.reward_tenths = np.zeros((num_episodes, num_steps), np.int16)
        """Tenths of a point."""
        self.fix = np.zeros((num_episodes, num_steps), np.int8)
        """0 no fix action, 1 not compliant, 2 compliant."""
        self.workflow_id = np.zeros(num_episodes, np.int64)
        """Whose order each episode was played for."""
        self._fields: dict[str, npt.NDArray[Any]] = {
            "observation": self.observation,
            "action": self.action,
            "log_prob": self.log_prob,
            "reward_tenths": self.reward_tenths,
            "fix": self.fix,
        }
        self._filled = np.zeros(num_episodes, np.bool_)

    @property
    def num_filled(self) -> int:
        """Rows that have been put since the batch was made or cleared."""
        return int(np.count_nonzero(self._filled))

    @property
    def full(self) -> bool:
        """Whether every row has been put."""
        return bool(self._filled.all())

    def put(self, row: int, record: Mapping[str, npt.NDArray[np.generic]], workflow_id: int) -> None:
        """Copy an episode; its slot may be freed afterwards.

        Args:
            row: 0 to `B - 1`.
            record: The other fields of this class by name, each of the shape and dtype of a row.
            workflow_id: 0 to 119.

        Raises:
            RowFilledError: The row has been put before.
            ValueError: A field has another shape or dtype.
        """
        if self._filled[row]:
            raise RowFilledError(row)
        for name, rows in self._fields.items():
            target, source = rows[row], record[name]
            if (source.shape, source.dtype) != (target.shape, target.dtype):
                msg = f"{name} is {target.dtype}{target.shape} in a batch, got {source.dtype}{source.shape}"
                raise ValueError(msg)
            target[...] = source
        self.workflow_id[row] = workflow_id
        self._filled[row] = True

    def clear(self) -> None:
        """Make every row free to be put again."""
        self._filled[:] = False

    def rewards(self, alignment_lambda: float) -> npt.NDArray[np.float64]:
        """Return what PPO is trained on: env reward plus alignment bonus, `[B, T]` float64 in points.

        Args:
            alignment_lambda: Points that full compliance is worth per episode.

        Raises:
            BatchNotFullError: A row is missing.
        """
        self.require_full()
        rewards: npt.NDArray[np.float64] = self.reward_tenths / 10.0
        return rewards + alignment_bonus(self.fix, alignment_lambda)

    def statistics(self, alignment_lambda: float) -> BatchStatistics:
        """Return what the batch's episodes were like on average.

        Args:
            alignment_lambda: Points that full compliance is worth per episode.

        Raises:
            BatchNotFullError: A row is missing.
        """
        self.require_full()
        env_reward = estimate_of_tenths(self.reward_tenths.sum(axis=1, dtype=np.int64))
        bonus = float(alignment_bonus(self.fix, alignment_lambda).sum(axis=1).mean())
        return BatchStatistics(
            num_episodes=self.num_episodes,
            env_reward=env_reward,
            alignment_bonus=bonus,
            total_reward=env_reward.mean + bonus,
            compliance=float(episode_compliance(self.fix).mean()),
            avg_fixes=np.count_nonzero(self.fix) / self.num_episodes,
        )

    def require_full(self) -> None:
        """Check that every row has been put.

        Raises:
            BatchNotFullError: A row is missing.
        """
        if not self.full:
            raise BatchNotFullError(self.num_filled, self.num_episodes)
