"""What is played in an evaluation, and what comes of it: tasks of a few episodes, which workers are sent."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from native_buffers.layout import Array
    from pipeline.defenders.reference import AgentReference
    from pipeline.play.game import GameSpec


class EpisodeFailedError(PipelineError):
    """An episode could not be played."""

    def __init__(self, task: Task, index: int, text: str) -> None:
        super().__init__(task, index, text)  # as they are: a worker's is pickled, and made again from them

    def __str__(self) -> str:
        task, index, text = self.args
        game = task.game
        return (
            f"episode {index} of {game.num_steps} steps against {game.red_agent} failed (engine {game.engine}):\n{text}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A trained policy, and how it chooses."""

    weights: npt.NDArray[np.float32]
    """`[shape.actor.num_values]`, the actor's."""
    workflow_id: int
    """The order that it is to follow, 0 to 119."""
    greedy: bool
    """Whether it takes the likeliest action each time, or draws one."""


@dataclass(frozen=True, slots=True)
class Task:
    """Episodes of one scenario, a few of them; small enough to be sent to a worker."""

    agent: Policy | AgentReference | str
    """A policy, an agent that others wrote, or the name of one of the baselines."""
    game: GameSpec
    """With the scenario's Red agent and number of steps."""
    seed: int
    """Of the evaluation."""
    group: int
    """`Scenario.group`."""
    first: int
    """Index of the first episode."""
    num_episodes: int
    is_traced: bool = False
    """Whether traces are wanted, which takes a hundred times as long."""

    @property
    def indices(self) -> range:
        """Of its episodes, among the scenario's."""
        return range(self.first, self.first + self.num_episodes)


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """What came of episodes, in the order of their indices."""

    return_tenths: npt.NDArray[np.int64]
    """`[B]`, raw environment reward of the whole episode, in tenths of a point."""
    compliance: npt.NDArray[np.float64] | None
    """`[B]`, 0 to 1, with the policy's order; None for others, which follow none."""
    action_counts: npt.NDArray[np.int64]
    """`[A]`, how often each of the agent's actions was taken, over all episodes."""
    traces: str = ""
    """A line for each, if the task is traced."""


def begin(header: dict[str, Array], environment_seed: np.uint64, actions_seed: np.uint64) -> None:
    """Tell by a header that this process begins an episode of these seeds."""
    header["environment_seed"][...], header["actions_seed"][...] = environment_seed, actions_seed
    header["started_s"][...] = time.monotonic()
    header["worker_pid"][...] = os.getpid()
