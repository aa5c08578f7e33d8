"""Episodes of an evaluation as they are played, in any process: what a task is, and what comes of it."""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import seeding
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import episode_compliance
from pipeline.errors import PipelineError
from pipeline.play.baselines import BASELINES
from pipeline.play.player import Player
from pipeline.play.record import HEADER, read_failure
from pipeline.trace.blue import BaselineBlue, PolicyBlue
from pipeline.trace.recorder import Recorder
from pipeline.trace.trace import as_line

if TYPE_CHECKING:
    import numpy.typing as npt

    from native_buffers.layout import Array
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

    agent: Policy | str
    """A policy, or the name of one of the baselines."""
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
    """`[B]`, 0 to 1, with the policy's order; None for a baseline, which follows none."""
    action_counts: npt.NDArray[np.int64]
    """`[A]`, how often each of the agent's actions was taken, over all episodes."""
    traces: str = ""
    """A line for each, if the task is traced."""


def play(task: Task, header: dict[str, Array] | None = None) -> Episodes:
    """Play a task's episodes, each a function of the task and its own index alone.

    Args:
        task: What.
        header: Views of `record.HEADER`, which tell all the time which episode is being played, by whom, since when;
            the caller's if it wants to know.

    Raises:
        EpisodeFailedError: If one can't be played.
    """
    header = header or _memory(HEADER)
    environment, actions = seeding.episode_seeds(task.seed, task.group, task.indices, seeding.Purpose.COMPARISON)
    _begin(header, environment[0], actions[0])  # the building of the environment counts
    if task.is_traced:
        return _play_traced(task, environment, actions, header)
    if isinstance(task.agent, Policy):
        return _play_policy(task, task.agent, environment, actions, header)
    return _play_baseline(task, task.agent, environment, actions, header)


def _begin(header: dict[str, Array], environment_seed: np.uint64, actions_seed: np.uint64) -> None:
    header["environment_seed"][...], header["actions_seed"][...] = environment_seed, actions_seed
    header["started_s"][...] = time.monotonic()
    header["worker_pid"][...] = os.getpid()


def _play_policy(
    task: Task,
    policy: Policy,
    environment: npt.NDArray[np.uint64],
    actions: npt.NDArray[np.uint64],
    header: dict[str, Array],
) -> Episodes:
    """Have a policy play as it does in training: by the workers' player, that is."""
    player = Player(task.game, lambda _: policy.weights)
    record = _memory(task.game.record)
    header["workflow_id"][...] = policy.workflow_id
    header["greedy"][...] = policy.greedy
    return_tenths = np.empty(task.num_episodes, dtype=np.int64)
    fixes = np.empty((task.num_episodes, task.game.num_steps), dtype=np.int8)
    action_counts = np.zeros(task.game.interface.num_actions, dtype=np.int64)
    for row, index in enumerate(task.indices):
        _begin(header, environment[row], actions[row])
        if not player.play(header, record):
            raise EpisodeFailedError(task, index, read_failure(header) or "")
        return_tenths[row] = record["reward_tenths"].sum(dtype=np.int64)
        fixes[row] = record["fix"]
        action_counts += np.bincount(record["action"], minlength=len(action_counts))
    return Episodes(return_tenths, episode_compliance(fixes), action_counts)


def _play_baseline(
    task: Task,
    name: str,
    environment: npt.NDArray[np.uint64],
    actions: npt.NDArray[np.uint64],
    header: dict[str, Array],
) -> Episodes:
    choose = BASELINES[name]
    env = task.game.env()
    return_tenths = np.zeros(task.num_episodes, dtype=np.int64)
    action_counts = np.zeros(spec.NUM_ACTIONS, dtype=np.int64)
    for row, index in enumerate(task.indices):
        _begin(header, environment[row], actions[row])
        try:
            observation = env.reset(int(environment[row]))
            for uniform in seeding.uniforms(int(actions[row]), task.game.num_steps).tolist():
                action = choose(observation, uniform)
                observation, reward = env.step(action)
                return_tenths[row] += reward
                action_counts[action] += 1
        except Exception:  # noqa: BLE001  # whatever it is, it can be pickled then
            raise EpisodeFailedError(task, index, traceback.format_exc()) from None
        header["finished_s"][...] = time.monotonic()
    return Episodes(return_tenths, None, action_counts)


def _play_traced(
    task: Task, environment: npt.NDArray[np.uint64], actions: npt.NDArray[np.uint64], header: dict[str, Array]
) -> Episodes:
    """Play the same episodes step by step, whoever plays, and write down each."""
    policy = task.agent if isinstance(task.agent, Policy) else None
    names = task.game.interface.action_names if policy else spec.ACTION_NAMES
    return_tenths = np.empty(task.num_episodes, dtype=np.int64)
    compliance = np.empty(task.num_episodes) if policy else None
    action_counts = np.zeros(len(names), dtype=np.int64)
    lines = []
    for row, index in enumerate(task.indices):
        _begin(header, environment[row], actions[row])
        try:
            if not row:
                recorder = Recorder(task.game, _blue(task))
            trace = recorder.play(task.group, index, int(environment[row]), int(actions[row]))
        except Exception:  # noqa: BLE001  # whatever it is, it can be pickled then
            raise EpisodeFailedError(task, index, traceback.format_exc()) from None
        header["finished_s"][...] = time.monotonic()
        return_tenths[row] = round(10 * trace.total_reward)
        if compliance is not None:
            compliance[row] = trace.compliance
        for step in trace.steps:
            action_counts[names.index(step.blue.choice)] += 1
        lines.append(as_line(trace))
    return Episodes(return_tenths, compliance, action_counts, "".join(lines))


def _blue(task: Task) -> PolicyBlue | BaselineBlue:
    if isinstance(task.agent, Policy):
        return PolicyBlue(task.agent.weights, task.agent.workflow_id, task.game, greedy=task.agent.greedy)
    return BaselineBlue(task.agent)


def _memory(layout: Any) -> dict[str, npt.NDArray[Any]]:
    return layout.views(memoryview(bytearray(layout.size_bytes)))  # type: ignore[no-any-return]  # a Layout's
