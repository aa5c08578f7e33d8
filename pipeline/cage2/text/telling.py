"""A game after a step, as Blue is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.cage2.facts import spec

if TYPE_CHECKING:
    from pipeline.cage2.show.view import View
    from pipeline.cage2.text.names import Names

_COLUMNS = ("host", "subnet", "activity", "compromised", "decoys")


def told(view: View, names: Names, num_steps: int) -> str:
    """Return what Blue knows: its last action, whether a decoy found room, and a row for each host.

    Nothing that Blue can't know: of a view's hosts only what its sensors noticed, what it takes them for, and the
    decoys that it has placed itself.

    Args:
        view: The game.
        names: What things are called.
        num_steps: Steps of an episode.
    """
    left = max(0, num_steps - view.num_steps)
    rows = [_COLUMNS]
    for index in names.listed:
        host = view.hosts[index]
        decoys = ", ".join(dict.fromkeys(host.decoys)) or "none"
        rows.append((names.hosts[index], names.subnet_of(index), host.activity, host.compromised, decoys))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"Steps left: {left}", f"You last played: {_last_action(view, names)}", *lines])


def _last_action(view: View, names: Names) -> str:
    if view.blue_action is None:
        return "nothing yet"
    # of all else CybORG reports success, whatever came of it
    had_no_room = spec.DECOY <= view.blue_action < spec.RESTORE and not view.blue_success
    return names.actions[view.blue_action] + (", which found no room" if had_no_room else "")
