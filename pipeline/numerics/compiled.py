"""How the engine's functions are compiled: numba, without exceptions on the way and without the interpreter's lock.

With `NUMBA_DISABLE_JIT=1` in the environment every function stays the plain Python that it is written in.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., object]")

_njit: Callable[..., Callable[[_Function], _Function]] = numba.njit  # whose own types leave out some options

COMPILED: bool = not numba.config.DISABLE_JIT  # type: ignore[attr-defined] # set by numba from the environment
"""Whether the engine runs as machine code in this process."""

int64: Callable[[Any], int] = np.int64  # type: ignore[assignment] # in all that is done with it here, it is one
"""`np.int64`, as an int to the type checker.

A constant that is passed to compiled functions is one of these: as a plain int, each of its values would get a
compilation of its own. Machine words are widened by it before anything is computed that may not fit them.
"""


def compiled(function: _Function) -> _Function:
    """Compile a part of the game, to be called by other compiled code only.

    It can't be called from Python unless the engine runs uncompiled: to compile what such a call needs, for each part,
    would take as long again.
    """
    return _njit(error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


def kernel(function: _Function) -> _Function:
    """Compile an entry point, to be called from Python; its machine code is kept on disk for the next process.

    Numba looks at the file of the kernel itself to tell whether kept code is stale, not at what the kernel calls.
    That is made good by `source_digest`, which is part of the type of every game.
    """
    return _njit(error_model="numpy", nogil=True, cache=True)(function)


def source_digest() -> str:
    """Return 12 hexadecimal digits that change whenever the engine's sources or the facts that they use do."""
    digest = hashlib.sha256()
    cage2 = Path(__file__).parents[1] / "cage2"
    facts = [cage2 / "facts" / f"{name}.py" for name in ("images", "spec", "table")]
    for path in [Path(__file__), *facts, *sorted((cage2 / "engine").rglob("*.py"))]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
