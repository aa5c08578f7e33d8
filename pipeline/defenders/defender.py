"""A defender: what decides on Blue's actions, one observation after the other, whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class View(Protocol):
    """What a defender may ask for beside its observation, at any step. Nothing is made before it asks."""

    @property
    def action_space(self) -> Any:
        """What CybORG's `get_action_space` gives: the number of actions, or with raw observations its dictionary."""
        ...

    def blue_table(self) -> str:
        """Return what Blue knows of each host, as CybORG prints it.

        Raises:
            NoTableError: The observation is raw, of which nobody has made a table.
        """
        ...

    def action_mask(self) -> npt.NDArray[np.bool_]:
        """Return `[A]`, False for actions that can't succeed now, as far as Blue can know: decoys that find no room."""
        ...


class Defender(Protocol):
    """Plays Blue, one episode after the other: `begin`, `act` at each step, `end`."""

    def begin(self, num_steps: int) -> None:
        """Begin an episode of so many steps."""
        ...

    def act(self, observation: Any, view: View) -> Any:
        """Return an action.

        Args:
            observation: What `--observation` asks for (`reference.Observation`).
            view: What else may be asked for.

        Returns:
            The action's id, in what can stand for a whole number. Who plays the game checks it.
        """
        ...

    def end(self) -> None:
        """End the episode."""
        ...
