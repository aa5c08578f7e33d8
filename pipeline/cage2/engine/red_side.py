"""Red's side of a game whose attacker is somebody's own: what it is shown, what it draws from, what its choice means.

Blue has acted -> choose: game -> Knowledge -> attacker -> names -> action and target -> Red acts (`game.finish_games`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.cage2.attackers.attacker import Asked, Generator
from pipeline.cage2.attackers.choice import SLEEP as SLEEP_CHOICE
from pipeline.cage2.attackers.choice import TARGETS
from pipeline.cage2.attackers.knowledge import Deeds, Knowledge, is_known
from pipeline.cage2.engine.mersenne import next_word
from pipeline.cage2.engine.red import ACTIONS, NO_TARGET, SLEEP
from pipeline.cage2.engine.tables import PORTS
from pipeline.cage2.facts.spec import HOST_NAMES, NUM_HOSTS, SUBNETS
from pipeline.numerics.compiled import kernel

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from pipeline.cage2.attackers.choice import Choice
    from pipeline.cage2.engine.state import Games

_Named = TypeVar("_Named")
_SUBNET_NAMES = tuple(subnet.name for subnet in SUBNETS)


class RedSide:
    """Red's side of one game, from the reset of an episode to the next one.

    Args:
        games: `[B]`.
        index: Which of them.
        name: What its attacker is named by.
        make: Makes the attacker from a generator.
        seed: The episode's; None where the generator went on.

    Raises:
        AttackerError: The attacker can't be made.
    """

    def __init__(
        self, games: Games, index: int, name: str, make: Callable[[random.Random], Any], seed: int | None
    ) -> None:
        self._games, self._index = games, index
        self._deeds = Deeds()
        self._choice: Choice | None = None
        self._asked = Asked(name, make, Generator(self._draw_bits), seed)

    def choose(self) -> tuple[int, int]:
        """Ask the attacker; return its action, by its place in `red.ACTIONS`, and its target.

        What it aims at something that it doesn't know is refused, as in CybORG: Red sleeps, and is told of a failure.

        Raises:
            AttackerError: It raised, or what it returned is no action.
        """
        game = self._games[self._index]
        if self._choice is not None:
            success = None if self._choice == SLEEP_CHOICE else bool(game["red_success"])
            self._deeds.note(self._choice, success=success)
        knowledge = look(game, self._deeds)
        self._choice = self._asked.choose(knowledge)
        if not is_known(knowledge, self._choice):
            return SLEEP, NO_TARGET
        action, target = self._choice
        if target is None:
            return SLEEP, NO_TARGET
        names = _SUBNET_NAMES if TARGETS[action] == _SUBNET_NAMES else HOST_NAMES
        return ACTIONS.index(action), names.index(target)

    def _draw_bits(self, num_bits: int) -> int:
        return int(draw_bits(self._games, self._index, num_bits))


def look(game: Any, deeds: Deeds) -> Knowledge:
    """Return what Red knows in a game; `deeds` are those that it remembers."""
    order = int(game["address_order"])
    address_order = tuple(HOST_NAMES[(order >> (4 * place)) & 15] for place in range(NUM_HOSTS))
    addresses = set(_members(int(game["known_addresses"]), HOST_NAMES))
    return Knowledge(
        step=deeds.num_steps + 1,
        last=deeds.last,
        success=deeds.success,
        listed=bool(game["red_listing"]),
        subnets=_members(int(game["known_subnets"]), _SUBNET_NAMES),
        addresses=tuple(host for host in address_order if host in addresses),
        names=_members(int(game["known_names"]), HOST_NAMES),
        address_order=address_order,
        ports={
            host: frozenset(_members(ports, PORTS))
            for host, ports in zip(HOST_NAMES, game["port_memory"].tolist(), strict=True)
            if ports
        },
        exploited=deeds.exploited,
        privileged=deeds.privileged,
        ot_service=bool(game["ot_known"]),
    )


def _members(mask: int, names: tuple[_Named, ...]) -> tuple[_Named, ...]:
    return tuple(name for place, name in enumerate(names) if (mask >> place) & 1)


@kernel
def draw_bits(games: Games, index: int, num_bits: int) -> int:
    """Draw a word of a game's generator, `games` being `[B]`, and return its highest bits, 1 to 32 of them."""
    return next_word(games[index]) >> (32 - num_bits)
