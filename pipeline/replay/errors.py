"""What can stand in the way of a replay."""

from __future__ import annotations

from pipeline.errors import SetupError


class ReplayError(SetupError):
    """An episode can't be shown, or not be played on from; the message says why."""
