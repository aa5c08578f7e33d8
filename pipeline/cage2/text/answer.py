"""What somebody answered, as one of Blue's actions."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from pipeline.cage2.facts import spec
from pipeline.printable import MAX_SHOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.cage2.text.names import Names

_MARK = re.compile(r"(?<![^\W_])action[\W_]*:", re.IGNORECASE)
_LONE = spec.ACTION_NAMES[: spec.ANALYSE]
"""Actions that take no host."""


class MistakeError(ValueError):
    """An answer is no action. The message tells who answered what to write."""


def action_of(answer: str, names: Names) -> int:
    """Return the id of the action that an answer names, 0 to 144.

    It is what follows the last `Action:` on its line, or the whole answer if there is none. Nothing but letters and
    digits counts, upper and lower case alike.

    Raises:
        MistakeError: It names none.
    """
    marks = list(_MARK.finditer(answer))
    written = answer[marks[-1].end() :].strip().partition("\n")[0] if marks else answer
    action = {_letters(name): action for action, name in enumerate(names.actions)}.get(_letters(written))
    if action is None:
        raise MistakeError(_explained(written, names))
    return action


def _letters(text: str) -> str:
    """Return what counts of a name."""
    return re.sub(r"[\W_]+", "", text).casefold()


def _explained(written: str, names: Names) -> str:
    words = re.sub(r"[^\w]+", " ", written).split()
    if not words:
        return "You named no action."
    kinds = (*_LONE, *spec.HOST_ACTIONS)
    kind, *host = words
    known = {_letters(each): each for each in kinds}.get(_letters(kind))
    if known is not None and known in _LONE and len(words) == 2:
        return f"{known} takes no host."
    if known is not None and not host:
        return f"{known} needs a host: {known} {names.hosts[names.listed[0]]}, say."
    if known is not None and len(words) == 2:
        return f"There is no host {_echo(host[0])}{_near(host[0], names.hosts)}"
    if len(words) <= 2:
        return f"There is no action {_echo(kind)}{_near(kind, kinds)}"
    near = difflib.get_close_matches(_letters(written), map(_letters, names.actions), n=1)
    meant = next((f" (do you mean {name}?)" for name in names.actions if [_letters(name)] == near), "")
    return f"{_echo(' '.join(words))} is no action{meant}: write one alone, or in a last line that begins with Action:"


def _echo(given: str) -> str:
    """Return what was written, so that it can stand in an observation."""
    return ascii(given[:MAX_SHOWN])


def _same(word: str, among: Sequence[str]) -> str | None:
    return next((each for each in among if each.casefold() == word.casefold()), None)


def _near(word: str, among: Sequence[str]) -> str:
    folded = {each.casefold(): each for each in among}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f": do you mean {folded[near[0]]}?" if near else f". There are: {', '.join(among)}."
