"""A task as it is played, in any process: who plays it, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from pipeline import seeding
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import episode_compliance
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.contest.generator import OnRandom, random_kept
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.episodes import begin_first, played
from pipeline.evaluate.headers import EVALUATION_HEADER
from pipeline.evaluate.task import EpisodeFailedError, Episodes, Policy
from pipeline.evaluate.traced import play_traced
from pipeline.play.baselines import BASELINES
from pipeline.play.player import Player
from pipeline.play.record import read_failure

if TYPE_CHECKING:
    import numpy.typing as npt

    from native_buffers.layout import Array
    from pipeline.contest.entry import Entry
    from pipeline.contest.generator import Game
    from pipeline.evaluate.task import Task


class Playing(Protocol):
    """Who plays a task."""

    action_counts: npt.NDArray[np.int64]
    """`[A]`, how often it took each of its actions so far."""

    @property
    def compliance(self) -> npt.NDArray[np.float64] | None:
        """`[B]`, of all episodes when they have been played; None of who follows no order."""
        ...

    def play(self, index: int, environment_seed: int, actions_seed: int) -> int:
        """Play an episode, the next one, and return the sum of its rewards in tenths of a point."""
        ...


def play(task: Task, header: dict[str, Array] | None = None) -> Episodes:
    """Play a task's episodes, each a function of the task and its own index alone.

    Args:
        task: What.
        header: See `episodes.played`; the caller's if it wants to know.

    Raises:
        EpisodeFailedError: If one can't be played.
        DefenderFailedError: If an agent that others wrote raised, or returned no action.
    """
    header = header or _memory(EVALUATION_HEADER)
    if task.is_traced:
        return play_traced(task, header)
    begin_first(task, header)
    player = _playing(task, header)
    return_tenths = np.fromiter(played(task, header, player.play), dtype=np.int64, count=task.num_episodes)
    return Episodes(return_tenths, player.compliance, player.action_counts)


def _playing(task: Task, header: dict[str, Array]) -> Playing:
    if isinstance(task.agent, Policy):
        return _Trained(task, task.agent, header)
    if isinstance(task.agent, AgentReference):
        from pipeline.evaluate.defend import Defence  # with gymnasium, which the others have no use for

        return Defence(task.agent, task.game, task.seed, header)
    if task.agent in CONTEST_BASELINES:
        return _Entered(task, CONTEST_BASELINES[task.agent]())
    return _Baseline(task, task.agent)


class _Trained:
    """A policy, as it plays in training: by the workers' player, that is."""

    def __init__(self, task: Task, policy: Policy, header: dict[str, Array]) -> None:
        self._task, self._header = task, header
        self._player = Player(task.game, lambda _: policy.weights)
        self._record = _memory(task.game.record)
        self._fixes = np.empty((task.num_episodes, task.game.num_steps), dtype=np.int8)
        self.action_counts = np.zeros(task.game.interface.num_actions, dtype=np.int64)
        header["workflow_id"][...] = policy.workflow_id
        header["greedy"][...] = policy.greedy

    @property
    def compliance(self) -> npt.NDArray[np.float64]:
        """See `Playing`."""
        return episode_compliance(self._fixes)

    def play(self, index: int, environment_seed: int, actions_seed: int) -> int:
        """See `Playing`; the header has the seeds."""
        record = self._record
        if not self._player.play(self._header, record):
            raise EpisodeFailedError(self._task, index, read_failure(self._header) or "")
        self._fixes[index - self._task.first] = record["fix"]
        self.action_counts += np.bincount(record["action"], minlength=len(self.action_counts))
        return int(record["reward_tenths"].sum(dtype=np.int64))


class _Baseline:
    """One of this project's baselines."""

    compliance = None

    def __init__(self, task: Task, name: str) -> None:
        self._choose = BASELINES[name]
        self._env, self._num_steps = task.game.env(), task.game.num_steps
        self.action_counts = np.zeros(spec.NUM_ACTIONS, dtype=np.int64)

    def play(self, index: int, environment_seed: int, actions_seed: int) -> int:
        """See `Playing`."""
        total = 0
        observation = self._env.reset(environment_seed)
        for uniform in seeding.uniforms(actions_seed, self._num_steps).tolist():
            action = self._choose(observation, uniform)
            observation, reward = self._env.step(action)
            total += reward
            self.action_counts[action] += 1
        return total


class _Entered:
    """One of the contest's baselines. What it draws, it draws from the game's generator, as in CybORG."""

    compliance = None

    def __init__(self, task: Task, entry: Entry) -> None:
        env = cast("Game", task.game.env())
        self._game = OnRandom(env) if entry.draws else env
        self._agent, self._num_steps = entry.agent, task.game.num_steps
        self.action_counts = np.zeros(spec.NUM_ACTIONS, dtype=np.int64)

    def play(self, index: int, environment_seed: int, actions_seed: int) -> int:
        """See `Playing`."""
        total = 0
        with random_kept():
            self._agent.begin(self._num_steps)
            observation = self._game.reset(environment_seed)
            for _ in range(self._num_steps):
                action = self._agent.act(observation.astype(np.int64), None)
                observation, reward = self._game.step(action)
                total += reward
                self.action_counts[action] += 1
            self._agent.end()
        return total


def _memory(layout: Any) -> dict[str, npt.NDArray[Any]]:
    return layout.views(memoryview(bytearray(layout.size_bytes)))  # type: ignore[no-any-return]  # a Layout's
