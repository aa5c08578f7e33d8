"""What Red holds on a host of the engine's game, in the words of the relaxed games."""

from __future__ import annotations

from typing import Any, Final

from pipeline.cage2.engine.state import ATTRIBUTE, SESSIONS, SUSPECTS
from pipeline.cage2.facts.spec import HOST_NAMES
from pipeline.limits.exploits import NONE, PRIVILEGED, REMOVABLE, UNREMOVABLE

CONTEST_PATCHES: Final = frozenset((HOST_NAMES.index("User3"), HOST_NAMES.index("User4")))
"""Hosts on which Haraka fails after a Restore, in the contest's game."""


def level_on(game: Any, lists: Any, host: int) -> int:
    """Return which of `exploits.NONE` to `exploits.PRIVILEGED` Red's sessions on a host come to.

    Args:
        game: A record of the engine's `state.GAME`.
        lists: `[3, 13, room]`, its lists.
        host: Any but User0.
    """
    num_sessions = int(game["num_sessions"][host])
    if num_sessions == 0:
        return NONE
    sessions = lists[SESSIONS, host, :num_sessions]
    if (sessions >= ATTRIBUTE).any():
        return PRIVILEGED
    suspects = lists[SUSPECTS, host, : int(game["num_suspects"][host])]
    return REMOVABLE if set(sessions.tolist()) <= set(suspects.tolist()) else UNREMOVABLE
