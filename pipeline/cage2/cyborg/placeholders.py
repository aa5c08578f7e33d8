"""Modules that stand in for others while a third package is imported."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_NEEDED: Final = ("stable_baselines3", "paramiko")
"""What CybORG imports for an agent that loads a trained model (and torch with it) and for logs over SSH."""


class _Placeholder(ModuleType):
    """Stands for a module that is imported and never used; every name in it is a class that does nothing."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def placeholders(names: tuple[str, ...]) -> Iterator[None]:
    """Keep what is imported meanwhile from importing modules that it has no use for, and leave no trace of it.

    Args:
        names: The modules. Those that have been imported before are left as they are.
    """
    placed = [name for name in names if name not in sys.modules]
    sys.modules.update((name, _Placeholder(name)) for name in placed)
    try:
        yield
    finally:
        for name in placed:
            del sys.modules[name]
