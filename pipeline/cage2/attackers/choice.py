"""What Red can choose, by name: its actions, and what each can be aimed at."""

from __future__ import annotations

from typing import Final

from pipeline.cage2.facts.spec import HOST_NAMES, OP_SERVER_INDEX, SUBNETS

Choice = tuple[str, str | None]
"""An action and its target: `("DiscoverRemoteSystems", "User")`."""
SLEEP: Final[Choice] = ("Sleep", None)

TARGETS: Final[dict[str, tuple[str | None, ...]]] = {
    "Sleep": (None,),
    "DiscoverRemoteSystems": tuple(subnet.name for subnet in SUBNETS),
    "DiscoverNetworkServices": HOST_NAMES,
    "ExploitRemoteService": HOST_NAMES,
    "PrivilegeEscalate": HOST_NAMES,
    "Impact": (HOST_NAMES[OP_SERVER_INDEX],),
}
"""CybORG's names of Red's actions, in the order of `engine.red.ACTIONS`, and of what each can be aimed at."""


class NoChoiceError(ValueError):
    """What was chosen is none of Red's actions, or can't be aimed at that."""


def require_choice(chosen: object) -> Choice:
    """Return what was chosen, if it is an action of Red's and a target of that.

    Raises:
        NoChoiceError: It is not.
    """
    if not (isinstance(chosen, tuple) and len(chosen) == 2):  # action and target
        raise NoChoiceError(f"returned {chosen!r:.80}, not a tuple of an action and its target")
    action, target = chosen
    if not isinstance(action, str) or action not in TARGETS:
        raise NoChoiceError(f"chose {action!r:.80}: Red's actions are {', '.join(TARGETS)}")
    if target is not None and not isinstance(target, str):
        raise NoChoiceError(f"aimed {action} at {target!r:.80}: targets are names, or None for Sleep")
    if target not in TARGETS[action]:
        raise NoChoiceError(f"aimed {action} at {target!r:.80}, not at {', '.join(map(str, TARGETS[action]))}")
    return action, target
