"""What is told of an agent that can't be made, or whose own code raises."""

from __future__ import annotations

from pipeline.errors import PipelineError, SetupError


class NoSuchAgentError(SetupError):
    """There is no agent of this name."""


class UnusableAgentError(SetupError):
    """There is an agent, but it can't be made as asked, has none of the forms, or sees something else."""


class AgentRaisedError(PipelineError):
    """An agent's own code raised while it was made."""

    def __init__(self, agent: str, text: str) -> None:
        super().__init__(f"{agent} could not be made:\n{text}")
