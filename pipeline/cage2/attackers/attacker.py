"""What an attacker of one's own is, and how it is asked: made anew for every episode, then asked once a step.

Make(generator) -> Attacker      an episode begins
attacker.choose(knowledge)       Blue has acted; what is returned is Red's action and target
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.cage2.attackers.choice import NoChoiceError, require_choice
from pipeline.cage2.attackers.errors import AttackerError, failed, who

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.cage2.attackers.choice import Choice
    from pipeline.cage2.attackers.knowledge import Knowledge


class Attacker(Protocol):
    """Red in one episode. Whatever it remembers is its own affair."""

    def choose(self, knowledge: Knowledge) -> Choice:
        """Return Red's next action and its target, one of `choice.TARGETS`.

        Aimed at what Red doesn't know, it is refused, as CybORG does: it fails, and the step is lost.
        """
        ...


class Generator(random.Random):
    """The generator of a game, as an attacker draws from it: a `random.Random` that nobody else can seed.

    What it gives is what `random.Random` gives from the same words, method by method.
    """

    def __init__(self, draw_bits: Callable[[int], int]) -> None:
        """Args: draw_bits: returns an int of so many random bits, 1 to 32, out of one word."""
        super().__init__(0)
        self._draw_bits = draw_bits

    def random(self) -> float:
        """Return a uniform float64 in [0, 1), of 53 bits from two words."""
        high, low = self._draw_bits(27), self._draw_bits(26)
        return (high * 67108864.0 + low) / 9007199254740992.0

    def getrandbits(self, k: int, /) -> int:
        """Return an int of `k` random bits, 32 from each word, the lowest first."""
        if k < 0:
            raise ValueError("number of bits must be non-negative")
        words = [self._draw_bits(min(32, k - shift)) << shift for shift in range(0, k, 32)]
        return sum(words)

    def seed(self, *_: Any, **__: Any) -> None:
        """Do nothing: the episode's seed has seeded the game."""

    def getstate(self) -> tuple[Any, ...]:
        """Raise NotImplementedError: the state is the game's."""
        raise NotImplementedError("the state of this generator is the game's")

    def setstate(self, state: Any) -> None:
        """Raise NotImplementedError: the state is the game's."""
        raise NotImplementedError(f"the state of this generator is the game's, and not to be set to {state!r:.40}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy it along with the game that it draws from, and with the variate that `gauss` may have kept back."""
        return type(self), (self._draw_bits,), vars(self)["gauss_next"]

    def __setstate__(self, state: Any) -> None:
        """Keep a variate back; see `__reduce__`."""
        vars(self)["gauss_next"] = state


class Asked:
    """An attacker in an episode, and what is told if it fails.

    Args:
        name: What it is named by.
        make: Makes it.
        generator: What it draws from.
        seed: The episode's; None where the generator went on.

    Raises:
        AttackerError: It can't be made, or has no `choose`.
    """

    def __init__(
        self, name: str, make: Callable[[random.Random], Any], generator: random.Random, seed: int | None
    ) -> None:
        self._name = name
        self._seed = seed
        try:
            attacker = make(generator)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is told
            raise failed(name, 0, seed, error) from None
        if not callable(getattr(attacker, "choose", None)):
            raise AttackerError(f"{name} made {attacker!r:.80}, which has no choose(knowledge)")
        self._attacker: Attacker = attacker

    def choose(self, knowledge: Knowledge) -> Choice:
        """Return what it chooses.

        Raises:
            AttackerError: It raised, or what it returned is not an action with its target.
        """
        try:
            return require_choice(self._attacker.choose(knowledge))
        except NoChoiceError as error:
            raise AttackerError(f"{error}: {who(self._name, knowledge.step, self._seed)}") from None
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is told
            raise failed(self._name, knowledge.step, self._seed, error) from None
