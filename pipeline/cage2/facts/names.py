"""What is chosen by name: who attacks, what plays the game, which state of it, how Blue is shown it.

Names come as text, out of files, command lines and other programs. One that there isn't must not pass for another one:
whoever takes a name first asks `require`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from pipeline.errors import TravellingError

if TYPE_CHECKING:
    from collections.abc import Collection

RedAgent = Literal["B_lineAgent", "RedMeanderAgent", "SleepAgent"]
"""Who attacks, as CybORG calls it."""
Engine = Literal["fast", "cyborg"]
"""`fast`: the project's own simulator, the same game to the bit. `cyborg`: CybORG itself, 100 times slower and more."""
Package = Literal["csle", "upstream"]
"""`csle`: the package csle-cyborg. `upstream`: the repository cage-challenge-2, installed as `CybORG`."""
Profile = Literal["head", "leaderboard"]
"""`head`: the game as CybORG plays it today. `leaderboard`: as it was on the contest's final day."""
Observation = Literal["stock", "corrected"]
"""`stock`: the table of CybORG's own wrapper. `corrected`: a new decoy does not hide a scan of the same step."""
Actions = Literal["all", "merged"]
"""`all`: CybORG's 145. `merged`: those that are worth taking, decoys as "the next one of this host"."""


class Compromised(StrEnum):
    """Which of Red's sessions make a host's type compromised."""

    FIXABLE = "fixable"
    """All but those on User0, which no fix action can end."""
    SESSIONS = "sessions"
    """All. User0's foothold is for ever, so `user` is compromised at every step."""


class UnknownNameError(TravellingError, ValueError):
    """A name is none of those that there are."""

    def __init__(self, what: str, name: object, names: Collection[str]) -> None:
        super().__init__(f"unknown {what} {name!r}: choose one of {', '.join(names)}")


class UnknownRedAgentError(TravellingError, ValueError):
    """There is no such Red agent in the game."""

    def __init__(self, red_agent: object, known: Collection[str]) -> None:
        super().__init__(
            f"unknown Red agent {red_agent!r}: choose one of {', '.join(known)}, or name your own, "
            "module:Name or path/to/file.py:Name"
        )


def require(what: str, name: object, names: Collection[str]) -> None:
    """Check that a name is one of those that there are.

    Args:
        what: Of what, in a word or two.
        name: The one that was given.
        names: All that there are.

    Raises:
        UnknownNameError: It is none of them.
    """
    if name not in names:
        raise UnknownNameError(what, name, names)
