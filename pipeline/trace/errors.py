"""What can be wrong with a file of traces."""

from __future__ import annotations

from pipeline.errors import SetupError


class TraceFileError(SetupError):
    """A file of traces can't be written, or what was read is none, or damaged; the message says where."""
