"""What an environment's observations and actions are, to gymnasium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from gymnasium import error, spaces

from pipeline.cage2.facts import spec
from pipeline.errors import TravellingError

if TYPE_CHECKING:
    from pipeline.cage2.blue.interface import Interface


def observation_space(interface: Interface) -> spaces.Space[npt.NDArray[np.float32]]:
    """Return the space of what Blue sees.

    As CybORG's `ChallengeWrapper` declares it. That returns int64, though; here observations have the declared dtype.
    """
    return spaces.Box(-1.0, 1.0, (interface.observation_size,), np.float32)


def action_space(interface: Interface) -> spaces.Space[np.int64]:
    """Return the space of what Blue may do."""
    return spaces.Discrete(interface.num_actions)


class InvalidActionError(TravellingError, error.InvalidAction, ValueError):
    """An action is none of Blue's."""

    def __init__(self, action: object, num_actions: int = spec.NUM_ACTIONS) -> None:
        super().__init__(f"action {action!r} is not one of Blue's: give an int from 0 to {num_actions - 1}")
