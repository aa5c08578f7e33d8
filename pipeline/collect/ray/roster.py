"""Which actors there are, which of them can be given something to play, and who died with whom. No Ray in it.

```
 add() -> known -> come_up() -> up -> bury() -> gone
                     ^          | another one died, and this one had nothing to play
                     +----------+ it is up again when it has answered
```
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

MAX_TASKS_PER_ACTOR = 2
"""One being played, and one that waits there, so that the actor need not wait for the network."""
TOGETHER_S = 1.0
"""Within which actors die together, of one cause; from the first of them on, so that a row of deaths has an end."""


@dataclass(eq=False)
class RayActor:
    """One actor, from the moment that Ray is asked for it."""

    handle: Any
    pid: int = 0
    """0 until it has introduced itself."""
    death: int = 0
    """With which generation it died, counted from 0: those that died together."""
    tasks: deque[tuple[int, ...]] = field(default_factory=deque)
    """Slots that it was given, in the order in which it plays them."""
    killer: tuple[int, ...] | None = None
    """What it was playing when it died; what waited behind it was not started."""


class RayRoster:
    """The books of one crew."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._known: set[RayActor] = set()
        self._up: set[RayActor] = set()
        self._died_s = float("-inf")  # when the first of the latest generation died
        self.generation = 0
        """Times that actors died, those within `TOGETHER_S` counted once."""

    @property
    def num_up(self) -> int:
        """Actors that can be given something to play, or play."""
        return len(self._up)

    def add(self, actor: RayActor) -> None:
        """Note an actor that was asked for."""
        self._known.add(actor)

    def come_up(self, actor: RayActor) -> None:
        """Note that an actor has answered; one that died since is left out."""
        if actor in self._known:
            self._up.add(actor)

    def bury(self, actor: RayActor) -> list[RayActor] | None:
        """Note that an actor died.

        Returns:
            Those that had nothing to play, and are out until they answer: they may have died with it, and what
            they were given would be blamed. None if the actor is not known, or no longer.
        """
        if actor not in self._known:
            return None
        self._known.remove(actor)
        self._up.discard(actor)
        actor.killer = actor.tasks[0] if actor.tasks else None
        now_s = monotonic()
        if now_s - self._died_s > TOGETHER_S:
            self.generation += 1
            self._died_s = now_s
        actor.death = self.generation - 1
        doubtful = [other for other in self._up if not other.tasks]
        self._up.difference_update(doubtful)
        return doubtful

    def idlest(self) -> RayActor | None:
        """Return who is up and has room for a task; of several one with the fewest."""
        free = (actor for actor in self._up if len(actor.tasks) < MAX_TASKS_PER_ACTOR)
        return min(free, key=lambda actor: len(actor.tasks), default=None)

    def holder(self, slots: tuple[int, ...]) -> RayActor | None:
        """Return the actor that was given a task, if one was."""
        return next((actor for actor in self._known if slots in actor.tasks), None)

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
        self._up.clear()
