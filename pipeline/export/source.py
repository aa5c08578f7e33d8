"""Parts of this project as source text that stands by itself: what an exported agent remembers by, and how it plays.

The rules of Blue's memory are written down once, in `cage2.blue.memory`, for the compiler and for Python alike. An
exported agent has the same text, with the constants that it refers to written out before it.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pipeline.cage2.blue import memory
from pipeline.cage2.engine.tables import PORTS
from pipeline.cage2.facts.spec import DECOYS, HOST_NAMES
from pipeline.errors import SetupError
from pipeline.export import defender
from pipeline.numerics.sources import UnreadableSourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

_WIDTH: Final = 116
MEANINGS: Final = {
    "NUM_ACTIONS": "Blue's, in CybORG's order: Sleep, Monitor, then 11 kinds of action on each host",
    "NUM_HOSTS": f"{', '.join(HOST_NAMES)}: a host's number is its place here",
    "OBSERVATION_SIZE": "values of Blue's table",
    "BITS_PER_HOST": "in it: scanned or exploited, exploited, and two for how compromised it looks",
    "ANALYSE": "first of the ids of Analyse: ANALYSE + host",
    "DECOY": "first of the ids of decoys: DECOY + NUM_HOSTS * kind + host",
    "RESTORE": "first of the ids of Restore: RESTORE + host",
    "MERGED": "what each choice is: an action's id, or NEXT_DECOY - host for the next decoy of a host",
    "NEXT_DECOY": "see MERGED",
    "NUM_TENTHS": "parts of an episode that are told apart",
    "BASE_PORTS": f"per host: the ports that its own services listen on, as a mask of {', '.join(map(str, PORTS))}",
    "DECOY_PORT": "per kind of decoy: the port that it listens on",
    "DECOY_FREE_PORT": "per kind of decoy: the port that has to be free",
    "DECOY_HOSTS": "per kind of decoy: the hosts that it fits, as a mask",
    "_MAIL_HOSTS": "those with a mail server",
    "_NUM_MAIL_HOSTS": "how many they are",
    "_RESTORED": "those of them that were restored",
    "_HOSTS": "those on which Blue can achieve something",
    "_NUM_THAT_MATTER": "how many they are",
    "_DECOY_HOST": "the decoys that are worth placing: the host of each",
    "_DECOY_KIND": f"its kind: {', '.join(decoy.name.removeprefix('Decoy') for decoy in DECOYS)}",
    "_DECOY_PORT": "the port that it fakes",
    "_NUM_DECOYS": "how many they are",
    "_SCANNED": "where what is remembered begins in what the policy sees; hosts that were scanned before",
    "_LAST_ACTIVE": "hosts that were the last to be scanned or exploited",
    "_WAS_EXPLOIT": "whether that was an exploit",
    "_UNANSWERED": "hosts that were exploited and not restored at once",
    "_SUSPECTS": "hosts that Red may have a session on",
    "_FAKED": "decoys whose port is faked",
    "_FAKED_FIRST": "decoys whose port was faked when their host was first scanned or exploited",
    "_TIME": "tenths of the episode that have passed",
}
"""Of the constants, for who reads an exported agent."""
_ARRAY: Final = "npt.NDArray[np.int8]"
_LIST: Final = "list[int]"
"""What rows are here, and what they are there."""
_RULES: Final = ("begin", "act", "next_decoy", "see")
_FIELD: Final = re.compile(r'^\s+\("(\w+)", np\.int64(, \(NUM_HOSTS,\))?\),  # (.*)$', re.MULTILINE)
"""A field of `memory.MEMORY`, as it is written there."""
_OF_INTERFACE: Final = ("is_merged", "is_seen", "num_actions", "observation_size")
"""Fields that say which interface it is, and nothing of an episode."""


class NoSourceError(SetupError):
    """The installation has no source text."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"an agent is written from this project's own source, and that of {module} isn't installed: "
            "install it from a wheel or a clone"
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Source text, and what it refers to."""

    text: str
    constants: Mapping[str, Any]
    """By their names."""


def rules() -> Part:
    """Return the rules of Blue's memory: functions of a memory, see `remembered`."""
    return _part(memory, [getattr(memory, name) for name in _RULES])


def player() -> Part:
    """Return the class that plays a policy, `Defender`."""
    return _part(defender, [defender.Defender])


def remembered() -> str:
    """Return the statements that make a memory's attributes, each with its meaning."""
    fields = {name: (wide, meaning) for name, wide, meaning in _FIELD.findall(_source_of(memory, memory))}
    fields = {name: field for name, field in fields.items() if name not in _OF_INTERFACE}
    if {*fields, *_OF_INTERFACE} != set(memory.MEMORY.names or ()):
        raise NoSourceError(memory.__name__)
    return "\n".join(
        f"self.{name} = {'[0] * NUM_HOSTS' if wide else '0'}  # {meaning}" for name, (wide, meaning) in fields.items()
    )


def written(constants: Mapping[str, Any], meanings: Mapping[str, str]) -> str:
    """Return the statements that define constants, each with its meaning."""
    lines = []
    for name, value in constants.items():
        text = f"{name} = {_literal(value)}"
        if len(text) + len(meanings[name]) < _WIDTH:
            lines.append(f"{text}  # {meanings[name]}")
            continue
        lines += [f"# {line}" for line in textwrap.wrap(meanings[name], _WIDTH)]
        if len(text) < _WIDTH:
            lines.append(text)
        else:
            values = textwrap.wrap(_literal(value)[1:-1], _WIDTH)
            lines += [f"{name} = (", *(f"    {line}" for line in values), ")"]
    return "\n".join(["# fmt: off", *lines, "# fmt: on"])


def _part(module: ModuleType, objects: Iterable[Any]) -> Part:
    texts = [
        _undecorated(_source_of(module, getattr(each, "py_func", each))).replace(_ARRAY, _LIST) for each in objects
    ]
    names = {node.id for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    constants = {
        name: value
        for name, value in vars(module).items()
        if name in names and isinstance(value, (int, np.ndarray))  # not what is called, nor a module
    }
    return Part("\n\n".join(texts), constants)


def _source_of(module: ModuleType, found: Any) -> str:
    try:
        return inspect.getsource(found)
    except (OSError, TypeError, UnreadableSourceError):
        raise NoSourceError(module.__name__) from None


def _undecorated(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("@"))


def _literal(value: Any) -> str:
    plain = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(plain, (list, tuple)):
        if len(plain) > 1 and len(set(plain)) == 1:
            return f"({plain[0]!r},) * {len(plain)}"
        return repr(tuple(plain))
    return repr(plain)
