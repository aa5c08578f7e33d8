"""What can go wrong for reasons outside the program. Every message says what happened and what to do."""

from __future__ import annotations

import importlib
import os
import traceback
from pathlib import Path
from typing import Any, Final

OURS: Final = (f"{Path(__file__).parent}{os.sep}", "<frozen importlib", importlib.__file__)
"""What the files of frames begin with that are no concern of others': this package's, and Python's importing."""


class TravellingError(Exception):
    """Goes from process to process as it is, whatever its `__init__` takes: by itself pickle would call that again."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs to make it from its message, and from what else it holds."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class PipelineError(TravellingError):
    """A run can't start or go on."""


class SetupError(PipelineError):
    """A run can't start as asked: the command or its surroundings need a change."""


def own_traceback(error: BaseException) -> str:
    """Return the traceback of others' code: from the first frame that isn't this project's; whole if there is none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
        trace = trace.tb_next
    if trace is None and not isinstance(error, SyntaxError):  # which says itself where it is
        trace = error.__traceback__
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()
