"""Episodes of an evaluation as they are played, in any process, by whoever plays them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipeline import seeding
from pipeline.cage2.attackers.errors import told
from pipeline.cage2.facts import spec
from pipeline.cage2.facts.compliance import episode_compliance
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.contest.generator import OnRandom, random_kept
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.headers import EVALUATION_HEADER
from pipeline.evaluate.task import EpisodeFailedError, Episodes, Policy, begin
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


def play(task: Task, header: dict[str, Array] | None = None) -> Episodes:
    """Play a task's episodes, each a function of the task and its own index alone.

    Args:
        task: What.
        header: Views of `EVALUATION_HEADER`, which tell all the time which episode is being played, by whom, since
            when; the caller's if it wants to know.

    Raises:
        EpisodeFailedError: If one can't be played.
        DefenderFailedError: If an agent that others wrote raised, or returned no action.
    """
    header = header or _memory(EVALUATION_HEADER)
    environment, actions = seeding.episode_seeds(task.seed, task.group, task.indices, seeding.Purpose.COMPARISON)
    begin(header, environment[0], actions[0])  # the building of the environment counts
    if task.is_traced:
        return play_traced(task, header)
    if isinstance(task.agent, Policy):
        return _play_policy(task, task.agent, environment, actions, header)
    if isinstance(task.agent, AgentReference):
        return _play_defender(task, task.agent, environment, actions, header)
    if task.agent in CONTEST_BASELINES:
        return _play_entry(task, CONTEST_BASELINES[task.agent](), environment, actions, header)
    return _play_baseline(task, task.agent, environment, actions, header)


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
        begin(header, environment[row], actions[row])
        if not player.play(header, record):
            raise EpisodeFailedError(task, index, read_failure(header) or "")
        return_tenths[row] = record["reward_tenths"].sum(dtype=np.int64)
        fixes[row] = record["fix"]
        action_counts += np.bincount(record["action"], minlength=len(action_counts))
    return Episodes(return_tenths, episode_compliance(fixes), action_counts)


def _play_defender(
    task: Task,
    agent: AgentReference,
    environment: npt.NDArray[np.uint64],
    actions: npt.NDArray[np.uint64],
    header: dict[str, Array],
) -> Episodes:
    """Have an agent play that others wrote. It is made for each task: what it remembers is a function of the task."""
    from pipeline.evaluate.defend import Defence  # with gymnasium, which the others have no use for

    return_tenths = np.zeros(task.num_episodes, dtype=np.int64)
    action_counts = np.zeros(spec.NUM_ACTIONS, dtype=np.int64)
    defence = Defence(agent, task.game, task.seed, header)
    for row, index in enumerate(task.indices):
        begin(header, environment[row], actions[row])
        return_tenths[row] = defence.play(index, int(environment[row]), int(actions[row]), action_counts)
        header["finished_s"][...] = time.monotonic()
    return Episodes(return_tenths, None, action_counts)


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
        begin(header, environment[row], actions[row])
        try:
            observation = env.reset(int(environment[row]))
            for uniform in seeding.uniforms(int(actions[row]), task.game.num_steps).tolist():
                action = choose(observation, uniform)
                observation, reward = env.step(action)
                return_tenths[row] += reward
                action_counts[action] += 1
        except Exception as error:  # noqa: BLE001  # whatever it is, it can be pickled then
            raise EpisodeFailedError(task, index, told(error)) from None
        header["finished_s"][...] = time.monotonic()
    return Episodes(return_tenths, None, action_counts)


def _play_entry(
    task: Task,
    entry: Entry,
    environment: npt.NDArray[np.uint64],
    actions: npt.NDArray[np.uint64],
    header: dict[str, Array],
) -> Episodes:
    """Have one of the contest's baselines play. What it draws, it draws from the game's generator, as in CybORG."""
    env = cast("Game", task.game.env())
    game = OnRandom(env) if entry.draws else env
    return_tenths = np.zeros(task.num_episodes, dtype=np.int64)
    action_counts = np.zeros(spec.NUM_ACTIONS, dtype=np.int64)
    with random_kept():
        for row, index in enumerate(task.indices):
            begin(header, environment[row], actions[row])
            try:
                entry.agent.begin(task.game.num_steps)
                observation = game.reset(int(environment[row]))
                for _ in range(task.game.num_steps):
                    action = entry.agent.act(observation.astype(np.int64), None)
                    observation, reward = game.step(action)
                    return_tenths[row] += reward
                    action_counts[action] += 1
                entry.agent.end()
            except Exception as error:  # noqa: BLE001  # whatever it is, it can be pickled then
                raise EpisodeFailedError(task, index, told(error)) from None
            header["finished_s"][...] = time.monotonic()
    return Episodes(return_tenths, None, action_counts)


def _memory(layout: Any) -> dict[str, npt.NDArray[Any]]:
    return layout.views(memoryview(bytearray(layout.size_bytes)))  # type: ignore[no-any-return]  # a Layout's
