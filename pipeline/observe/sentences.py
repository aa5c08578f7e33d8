"""Events as lines for people, short enough for a terminal: what happened, in words."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from pipeline.printable import printable
from pipeline.types import (
    CheckpointWritten,
    Compiling,
    EpisodesLost,
    FirstEpisode,
    RunStarted,
    UpdateResult,
    WorkersStarted,
    WorkflowFinished,
    WorkflowStarted,
)

if TYPE_CHECKING:
    from pipeline.observe.logs import Stream
    from pipeline.types import Estimate, Event


class Sentences:
    """Writes what is to be said of events, each line with the time of day.

    Args:
        stream: Where lines go; what `sys.stderr` is now, by default.
    """

    def __init__(self, stream: Stream | None = None) -> None:
        self._stream = stream or sys.stderr

    def __call__(self, event: Event) -> None:
        """Write the line of an event, if there is something to say of it."""
        if text := sentence(event):
            self._stream.write(f"{time.strftime('%H:%M:%S')}  {text}\n")  # one write: whole or not there
            self._stream.flush()


def sentence(event: Event) -> str | None:
    """Return what there is to say of an event; None of its numbers' details, and of the end, which has a summary."""
    match event:
        case RunStarted():
            return f"run {printable(event.run_dir)}{', which goes on' if event.resumed else ''}"
        case Compiling():
            return f"compiling, once: {event.seconds:.0f} s of some {event.expected_s:.0f} s"
        case WorkersStarted():
            return f"the first worker is up after {event.seconds:.1f} s"
        case FirstEpisode():
            return f"the first episode came after {event.seconds:.1f} s"
        case WorkflowStarted():
            again = " again" if event.resumed_policy else ""
            return f"{event.part}: workflow {event.workflow_id}{again}, {event.workflow_order}"
        case UpdateResult():
            reward = _estimate(event.env_reward, event.num_episodes)
            progress = f"{_episodes(event.total_episodes)}: workflow {event.workflow_id}"
            return f"{progress}, reward {reward}, compliance {event.compliance:.2f}"
        case WorkflowFinished():
            return _visit(event)
        case EpisodesLost():
            return f"{_episodes(event.num_episodes)} to be played again, workers replaced: {event.num_rebuilds}"
        case CheckpointWritten():
            return f"checkpoint written at {_episodes(event.total_episodes)}"
    return None


def _visit(event: WorkflowFinished) -> str:
    result, score = event.result, event.result.score
    number = score.num_evaluated
    greedy = "" if score.greedy_env_reward is None else f", greedy {_estimate(score.greedy_env_reward, number)}"
    reward = f"reward {_estimate(score.env_reward, number)}{greedy}"
    return f"evaluated: workflow {result.workflow_id}, {reward}, compliance {score.compliance:.2f}"


def _estimate(value: Estimate, num_episodes: int) -> str:
    """Return a mean with its standard error, of which one episode has none."""
    return f"{value.mean:.1f}" if num_episodes == 1 else f"{value.mean:.1f} ± {value.stderr:.1f}"


def _episodes(number: int) -> str:
    return f"{number:,} episode{'' if number == 1 else 's'}"
