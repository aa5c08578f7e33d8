"""An agent by name: what the name may be, and all that a process needs to make the agent. Nothing of it runs here."""

from __future__ import annotations

import ast
import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pipeline.defenders.errors import NoSuchAgentError
from pipeline.printable import shown

Observation = Literal["stock", "corrected", "memory", "table", "raw"]
"""What a defender is shown at each step; see `shown`."""
EXPORTED: Final = "agent.py"
"""The file of an exported agent's folder; its class is `Agent`."""


@dataclass(frozen=True, slots=True)
class AgentReference:
    """An agent that others wrote, by name. It travels to workers as it is; each makes the agent for itself."""

    name: str
    """As the user gave it."""
    target: str
    """`module:Name`, `/path/file.py:Name` or `/path/model.zip`."""
    arguments: tuple[tuple[str, str], ...]
    """What its class or function is called with, by name."""
    observation: Observation
    greedy: bool
    """Whether SB3's form takes the likeliest action, or draws one."""
    step_timeout_s: float
    """Seconds that it may take for a step."""

    @property
    def file(self) -> Path | None:
        """The file that it is in, if the name says it."""
        path = Path(self.target.rpartition(":")[0] or self.target)
        return path if path.suffix in (".py", ".zip") else None

    @property
    def sha256(self) -> str | None:
        """Of that file."""
        return None if self.file is None else hashlib.sha256(self.file.read_bytes()).hexdigest()


def target_of(name: str) -> str | None:
    """Return what a name refers to, with its path absolute; None if it has none of the accepted forms.

    Raises:
        NoSuchAgentError: It has one of the forms, but there is no such file, or the file is no model or names no class.
    """
    path, _, attribute = name.rpartition(":")
    if not path:
        return _target_of_path(Path(name))
    if not attribute.isidentifier():
        return None
    if path.endswith(".py"):
        return f"{_file(Path(path))}:{attribute}"
    return name if all(part.isidentifier() for part in path.split(".")) else None


def _target_of_path(path: Path) -> str | None:
    if os.path.isfile(path / EXPORTED):  # noqa: PTH113  # a name may be too long to be one
        return f"{(path / EXPORTED).absolute()}:Agent"
    if path.suffix == ".zip":
        if not zipfile.is_zipfile(_file(path)):
            raise NoSuchAgentError(f"{path} is no zip file, as Stable-Baselines3 saves its models")
        return str(path.absolute())
    if path.suffix == ".py":
        names = _defined_in(_file(path))
        there_are = f"there are {', '.join(names)}" if names else "there is none"
        raise NoSuchAgentError(f"{path}: which class or function of it? Write {path}:NAME; {there_are}")
    return None


def _file(path: Path) -> Path:
    try:
        is_there = path.is_file()
    except (OSError, ValueError):  # too long a name, say
        is_there = False
    if not is_there:
        raise NoSuchAgentError(f"there is no file {shown(path)}")
    return path.absolute()


def _defined_in(file: Path) -> list[str]:
    """Return the names of a file's classes and functions that are not its own business."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError):
        return []
    defined = (node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef)))
    return [name for name in defined if not name.startswith("_")]
