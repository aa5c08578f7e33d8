"""What is told of an attacker of one's own that can't be had, or fails: its own traceback, then who and when."""

from __future__ import annotations

import traceback

from pipeline.errors import PipelineError, SetupError, own_traceback


class AttackerNotFoundError(SetupError):
    """There is no attacker of that name, or not the one that a run began with."""


class AttackerError(PipelineError):
    """An attacker of one's own failed: the message ends with who, in which step of which episode."""


def failed(name: str, step: int, seed: int | None, error: BaseException) -> AttackerError:
    """Return what is told of an attacker that raised."""
    return AttackerError(f"{own_traceback(error)}\nraised by {who(name, step, seed)}")


def who(name: str, step: int, seed: int | None) -> str:
    """Return in words which attacker, in which step (0: as it was made) of which episode."""
    when = f"in step {step}" if step else "before the first step"
    episode = "an episode without a seed" if seed is None else f"the episode with environment seed {seed}"
    return f"{name}, {when} of {episode}"


def told(error: BaseException) -> str:
    """Return what a worker tells of an error: of one's own attacker the message alone, of all others the traceback."""
    if isinstance(error, AttackerError | AttackerNotFoundError):
        return str(error)
    return "".join(traceback.format_exception(error))
