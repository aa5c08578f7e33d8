"""A digest of a module's source and of all in this project that it imports, directly or not.

It tells whether what was made of them earlier, or on another machine, would still be made the same: kept machine code,
played bits. Nobody lists the modules: they follow from the import statements. Sources are read by the modules' loaders,
so that it works in a zip file too, and where nothing but `.pyc` files is installed.
"""

from __future__ import annotations

import hashlib
import pkgutil
import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pipeline.errors import TravellingError

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = ("native_buffers", "pipeline")
"""The packages whose modules are followed."""
_IMPORT = re.compile(rf"^(?:from|import) ((?:{'|'.join(PROJECT)})\b[\w.]*)(?: import (\([^)]*\)|.*))?", re.MULTILINE)
"""An import at the start of a line: one further in is for type checkers, or not done when the module is imported."""


class UnreadableSourceError(TravellingError):
    """A module has no source that could be read: it is part of a frozen program, or was typed in."""

    def __init__(self, module: str) -> None:
        super().__init__(f"the source of {module} can't be read")


def source_digest(*modules: str) -> str:
    """Return 64 hexadecimal digits that change with modules and with every one that they import.

    Args:
        *modules: Their full names. They need not be the project's, nor be imported.

    Raises:
        UnreadableSourceError: One of them can't be read.
    """
    return hashlib.sha256(repr([(name, _read(name)[0]) for name in sorted(followed(*modules))]).encode()).hexdigest()


def followed(*modules: str) -> set[str]:
    """Return modules and all of the project that they import, directly or not; see `source_digest`.

    What a `.pyc` file imports can't be told cheaply, and is taken for all that the project has.
    """
    found, left = set[str](), set(modules)
    while left:
        found |= left
        left = set[str]().union(*(_read(name)[1] for name in left)) - found
    return found


@cache
def _read(module: str) -> tuple[str, frozenset[str]]:
    """Return the digest of a module alone, and which modules of the project it imports."""
    try:
        spec: Any = find_spec(module)
        content: bytes = spec.loader.get_data(spec.origin)
        imported = frozenset(_imported(content.decode()) if spec.origin.endswith(".py") else _everything())
    except (AttributeError, ImportError, OSError, ValueError):
        raise UnreadableSourceError(module) from None
    return hashlib.sha256(content).hexdigest(), imported


def _imported(source: str) -> Iterator[str]:
    for package, names in _IMPORT.findall(source):
        yield package
        yield from (f"{package}.{name}" for name in _modules(package) & set(re.findall(r"\w+", names)))


@cache
def _modules(package: str) -> frozenset[str]:
    """Return the modules of a package by their short names; none if it is a plain module."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return frozenset(module.name for module in pkgutil.iter_modules(folders)) if folders else frozenset()


@cache
def _everything() -> frozenset[str]:
    modules = (pkgutil.walk_packages(import_module(package).__path__, f"{package}.") for package in PROJECT)
    return frozenset(PROJECT).union(*((module.name for module in found) for found in modules))
