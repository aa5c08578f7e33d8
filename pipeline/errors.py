"""What can go wrong for reasons outside the program. Every message says what happened and what to do."""

from __future__ import annotations

from typing import Any


class TravellingError(Exception):
    """Goes from process to process as it is, whatever its `__init__` takes: by itself pickle would call that again."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs to make it from its message, and from what else it holds."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class PipelineError(TravellingError):
    """A run can't start or go on."""


class SetupError(PipelineError):
    """A run can't start as asked: the command or its surroundings need a change."""
