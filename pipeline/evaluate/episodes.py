"""A task's episodes one after the other, whoever plays them: seeds, headers, and what is told of one that fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from pipeline import seeding
from pipeline.cage2.attackers.errors import AttackerError, told
from pipeline.defenders.reference import AgentReference
from pipeline.evaluate.failure import DefenderFailedError, where
from pipeline.evaluate.task import EpisodeFailedError, begin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from native_buffers.layout import Array
    from pipeline.errors import PipelineError
    from pipeline.evaluate.task import Task

Outcome = TypeVar("Outcome")


def begin_first(task: Task, header: dict[str, Array], purpose: seeding.Purpose = seeding.Purpose.COMPARISON) -> None:
    """Tell by a header that the first episode begins: to make who plays it is a part of it; see `played`."""
    header["num_played"][...] = 0
    environment, actions = seeding.episode_seeds(task.seed, task.group, task.indices[:1], purpose)
    begin(header, environment[0], actions[0])


def played(
    task: Task,
    header: dict[str, Array],
    play: Callable[[int, int, int], Outcome],
    purpose: seeding.Purpose = seeding.Purpose.COMPARISON,
) -> Iterator[Outcome]:
    """Yield what comes of each of a task's episodes, when it has been played.

    Args:
        task: What.
        header: Views of `EVALUATION_HEADER`, which tell all the time which episode is being played, by whom, since
            when.
        play: Plays an episode, given its index, the game's seed and that of actions.
        purpose: Whose seeds are taken.

    Raises:
        EpisodeFailedError: One can't be played.
        DefenderFailedError: An agent that others wrote raised, or returned no action.
    """
    environment, actions = seeding.episode_seeds(task.seed, task.group, task.indices, purpose)
    for row, index in enumerate(task.indices):
        begin(header, environment[row], actions[row])
        try:
            outcome = play(index, int(environment[row]), int(actions[row]))
        except (EpisodeFailedError, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # whatever it is, it can be pickled then; sys.exit among them
            raise _failure(task, header, index, error) from None
        header["finished_s"][...], header["num_played"][...] = time.monotonic(), row + 1
        yield outcome


def _failure(task: Task, header: dict[str, Array], index: int, error: BaseException) -> PipelineError:
    if not isinstance(task.agent, AgentReference) or isinstance(error, AttackerError):  # which is not the agent's fault
        return EpisodeFailedError(task, index, told(error))
    from pipeline.evaluate.defend import told as told_of_agent  # with gymnasium, which the others have no use for

    at = where(task.game, int(header["step"]), int(header["environment_seed"]), index)
    return DefenderFailedError(task.agent.name, at, told_of_agent(error))
