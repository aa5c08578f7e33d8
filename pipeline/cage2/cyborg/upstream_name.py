"""csle-cyborg under upstream's name, for code that was written for `CybORG` where that is not installed.

csle-cyborg is upstream's code, its modules renamed: `CybORG.Agents.SimpleAgents.BaseAgent` is
`csle_cyborg.agents.simple_agents.base_agent`. Who imports the one gets what is in the other, the very classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from pipeline.cage2.cyborg.placeholders import NOT_NEEDED, placeholders

if TYPE_CHECKING:
    from collections.abc import Sequence

_UPSTREAM: Final = "CybORG"
_CSLE: Final = "csle_cyborg"
_WORD_BEGINS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def install() -> None:
    """Have `import CybORG` find csle-cyborg, where it would find nothing. May be repeated."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())  # behind all others: who has the real one gets that


class _Finder(MetaPathFinder, Loader):
    """Finds upstream's modules by csle-cyborg's."""

    is_csles = True

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where a module is, if it is one of upstream's that csle-cyborg has, too."""
        if name.partition(".")[0] != _UPSTREAM or importlib.util.find_spec(_CSLE) is None:
            return None
        with placeholders(NOT_NEEDED):
            importlib.import_module(f"{_CSLE}.agents")
            importlib.import_module(f"{_CSLE}.main")
        real = importlib.util.find_spec(_real_name(name))
        if real is None:
            return None
        return ModuleSpec(name, self, is_package=real.submodule_search_locations is not None)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return what stands for a module."""
        return _UpstreamModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the real one has been run."""


class _UpstreamModule(ModuleType):
    """A module of csle-cyborg under upstream's name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        with placeholders(NOT_NEEDED):
            self._real = importlib.import_module(_real_name(name))

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return [each for each in vars(self._real) if not each.startswith("_")]
        if name.startswith("_"):
            raise AttributeError(name)
        if name == _UPSTREAM:
            return sys.modules[f"{_CSLE}.main"].Main
        if hasattr(self._real, name):
            return getattr(self._real, name)
        return self._class_of_module(name)

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, but not to a module that has the name of a class: upstream's packages offer the class."""
        if not (isinstance(value, ModuleType) and hasattr(self, name)):
            super().__setattr__(name, value)

    def _class_of_module(self, name: str) -> Any:
        """Return the class that a package's module is named after, as upstream's packages offer it."""
        path = f"{self._real.__name__}.{_snake(name)}"
        if hasattr(self._real, "__path__") and importlib.util.find_spec(path):
            with placeholders(NOT_NEEDED):
                module = importlib.import_module(path)
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(f"{self.__name__} has no {name}: it is csle-cyborg's {self._real.__name__}")


def _real_name(name: str) -> str:
    _, *parts = name.split(".")
    if parts == [_UPSTREAM]:
        return f"{_CSLE}.main"
    return ".".join([_CSLE, *map(_snake, parts)])


def _snake(name: str) -> str:
    return _WORD_BEGINS.sub("_", name).lower()
