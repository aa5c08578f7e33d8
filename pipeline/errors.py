"""What can go wrong for reasons outside the program. Every message says what happened and what to do."""


class PipelineError(Exception):
    """A run can't start or go on."""


class SetupError(PipelineError):
    """A run can't start as asked: the command or its surroundings need a change."""
