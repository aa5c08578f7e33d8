"""Episodes of an evaluation played step by step and written down, whoever plays them."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pipeline import seeding
from pipeline.cage2.attackers.errors import told
from pipeline.cage2.facts import spec
from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.defenders.reference import AgentReference
from pipeline.errors import PipelineError
from pipeline.evaluate.episodes import begin_first, played
from pipeline.evaluate.failure import MAKING
from pipeline.evaluate.task import EpisodeFailedError, Episodes, Policy
from pipeline.trace.blue import BaselineBlue, PolicyBlue
from pipeline.trace.guest import DefenderBlue, EntryBlue
from pipeline.trace.recorder import Recorder
from pipeline.trace.trace import as_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from native_buffers.layout import Array
    from pipeline.evaluate.task import Task
    from pipeline.trace.blue import Blue
    from pipeline.trace.trace import Trace


def traces(
    task: Task, header: dict[str, Array], purpose: seeding.Purpose, note_form: Callable[[str], None] = lambda _: None
) -> Iterator[Trace]:
    """Yield a task's episodes, each when it has been played; see `episodes.played` for what is raised.

    Args:
        task: What.
        header: See `episodes.played`.
        purpose: Whose seeds are taken.
        note_form: Called with the form of an agent that others wrote, when it has been made.
    """
    begin_first(task, header, purpose)
    try:
        recorder = Recorder(task.game, _blue(task, header, note_form))
    except PipelineError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, it can be pickled then
        raise EpisodeFailedError(task, task.first, told(error)) from None
    yield from played(task, header, partial(recorder.play, task.group), purpose)


def play_traced(task: Task, header: dict[str, Array]) -> Episodes:
    """Play a task's episodes as `play.play` does, and write down each; see there."""
    policy = task.agent if isinstance(task.agent, Policy) else None
    names = task.game.interface.action_names if policy else spec.ACTION_NAMES
    return_tenths = np.empty(task.num_episodes, dtype=np.int64)
    compliance = np.empty(task.num_episodes) if policy else None
    action_counts = np.zeros(len(names), dtype=np.int64)
    lines = []
    for row, trace in enumerate(traces(task, header, seeding.Purpose.COMPARISON)):
        return_tenths[row] = round(10 * trace.total_reward)
        if compliance is not None:
            compliance[row] = trace.compliance
        for step in trace.steps:
            action_counts[names.index(step.blue.choice)] += 1
        lines.append(as_line(trace))
    return Episodes(return_tenths, compliance, action_counts, "".join(lines))


def _blue(task: Task, header: dict[str, Array], note_form: Callable[[str], None]) -> Blue:
    if isinstance(task.agent, Policy):
        return PolicyBlue(task.agent.weights, task.agent.workflow_id, task.game, greedy=task.agent.greedy)
    if isinstance(task.agent, AgentReference):
        from pipeline.evaluate.defend import make  # with gymnasium, which the others have no use for

        def note_step(step: int) -> None:
            header["step"][...], header["stepped_s"][...] = step, time.monotonic()

        header["step"][...] = MAKING
        ready, shown = make(task.agent, task.game, task.seed)
        note_form(ready.form)
        return DefenderBlue(ready.defender, shown, note_step)
    if task.agent in CONTEST_BASELINES:
        return EntryBlue(CONTEST_BASELINES[task.agent]())
    return BaselineBlue(task.agent)
