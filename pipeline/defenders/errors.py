"""What is told of an agent that can't be made, or whose own code raises."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from pipeline.errors import PipelineError, SetupError

OURS = (f"{Path(__file__).parents[1]}{os.sep}", "<frozen importlib")
"""What the files of frames begin with that are none of an agent's."""


class NoSuchAgentError(SetupError):
    """There is no agent of this name."""


class UnusableAgentError(SetupError):
    """There is an agent, but it can't be made as asked, has none of the forms, or sees something else."""


class AgentRaisedError(PipelineError):
    """An agent's own code raised while it was made."""

    def __init__(self, agent: str, text: str) -> None:
        super().__init__(f"{agent} could not be made:\n{text}")


def own_traceback(error: BaseException) -> str:
    """Return a traceback that begins with the first frame that isn't this project's; whole if there is none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
        trace = trace.tb_next
    if trace is None and not isinstance(error, SyntaxError):  # which says itself where it is
        trace = error.__traceback__
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()
