"""Where an agent that others wrote is in an evaluation, as a header marks it, and what is told if it fails there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.play.game import GameSpec

MAKING: Final = -2
"""`step` of a header while the agent is made, and what its game needs."""
BEGINNING: Final = -1
"""... while it is told that an episode begins."""


class DefenderFailedError(PipelineError):
    """An agent that others wrote raised, returned no action, hung, or ended its process."""

    def __init__(self, agent: str, where: str, text: str) -> None:
        super().__init__(f"{agent} failed {where}:\n{text}")


def where(game: GameSpec, step: int, environment_seed: int, index: int | None = None) -> str:
    """Return where in an evaluation an agent is, in words.

    Args:
        game: That is played.
        step: Of the episode, or one of the marks above.
        environment_seed: The episode's.
        index: The episode's, if it is known.
    """
    if step == MAKING:
        return "while it was made"
    at = {BEGINNING: "at the beginning of", game.num_steps: "at the end of"}.get(step, f"in step {step} of")
    which = "an episode" if index is None else f"episode {index}"
    counted = f"{game.num_steps} steps, counted from 0, against {game.red_agent}"
    return f"{at} {which} ({counted}; environment seed {environment_seed})"
