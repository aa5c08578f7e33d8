"""What can go wrong with a report."""

from __future__ import annotations

from pipeline.errors import SetupError


class ReportError(SetupError):
    """There is no report of a run, or it can't be written."""
