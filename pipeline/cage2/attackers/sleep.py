"""`SleepAgent`: Red that does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.attackers.choice import SLEEP

if TYPE_CHECKING:
    import random

    from pipeline.cage2.attackers.choice import Choice
    from pipeline.cage2.attackers.knowledge import Knowledge


class Sleep:
    """The game's `SleepAgent`."""

    def __init__(self, generator: random.Random) -> None:
        """Args: generator: of no use to it."""

    def choose(self, knowledge: Knowledge) -> Choice:  # as all attackers are asked
        """Sleep."""
        return SLEEP
