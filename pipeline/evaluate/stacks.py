"""The stack that a worker left when it hung or crashed, out of what `faulthandler` has written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.errors import OURS

if TYPE_CHECKING:
    from pathlib import Path

_BEGIN: Final = "Current thread"


def stack_in(file: Path) -> str:
    """Return the last stack in a file, the innermost call first, down to this project's own; "" if there is none.

    Args:
        file: What workers wrote to. It needn't be there.
    """
    try:
        text = file.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    lines = text[text.rfind(_BEGIN) :].split("\n\n")[0].splitlines()[1:] if _BEGIN in text else []
    first = next((place for place, line in enumerate(lines) if f'"{OURS[0]}' in line), len(lines))
    return "\n".join(lines[:first] or lines)
