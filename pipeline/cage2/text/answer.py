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

_MARK = re.compile(r"\baction\W*:", re.IGNORECASE)
_LONE = spec.ACTION_NAMES[: spec.ANALYSE]
"""Actions that take no host."""


class MistakeError(ValueError):
    """An answer is no action. The message tells who answered what to write."""


def action_of(answer: str, names: Names) -> int:
    """Return the id of the action that an answer names, 0 to 144.

    It is what follows the last `Action:` on its line, or the whole answer if there is none. Upper and lower case,
    spaces and the marks in which writers wrap words are of no matter.

    Raises:
        MistakeError: It names none.
    """
    marks = list(_MARK.finditer(answer))
    written = answer[marks[-1].end() :].strip().partition("\n")[0] if marks else answer
    words = re.sub(r"[^\w]+", " ", written).split()
    by_words = {tuple(name.casefold().split()): action for action, name in enumerate(names.actions)}
    action = by_words.get(tuple(word.casefold() for word in words))
    if action is None:
        raise MistakeError(_explained(words, names))
    return action


def _explained(words: Sequence[str], names: Names) -> str:
    if not words:
        return "You named no action."
    if len(words) > 2:
        return f"{_echo(' '.join(words))} is no action: write one alone, or in a last line that begins with Action:"
    kind, *host = words
    known = _same(kind, (*_LONE, *spec.HOST_ACTIONS))
    if known is None:
        return f"There is no action {_echo(kind)}{_near(kind, (*_LONE, *spec.HOST_ACTIONS))}"
    if known in _LONE:
        return f"{known} takes no host."
    if not host:
        return f"{known} needs a host: {known} {names.hosts[names.listed[0]]}, say."
    return f"There is no host {_echo(host[0])}{_near(host[0], names.hosts)}"


def _echo(given: str) -> str:
    """Return what was written, so that it can stand in an observation."""
    return ascii(given[:MAX_SHOWN])


def _same(word: str, among: Sequence[str]) -> str | None:
    return next((each for each in among if each.casefold() == word.casefold()), None)


def _near(word: str, among: Sequence[str]) -> str:
    folded = {each.casefold(): each for each in among}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f": do you mean {folded[near[0]]}?" if near else f". There are: {', '.join(among)}."
