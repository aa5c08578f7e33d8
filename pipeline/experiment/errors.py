"""What can go wrong with many runs as one."""

from __future__ import annotations

from pipeline.errors import SetupError


class ExperimentError(SetupError):
    """An experiment can't be made, read or gone on with; the message says what to do."""
