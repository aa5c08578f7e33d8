"""How functions are compiled: by numba, without exceptions on the way and without the interpreter's lock.

With `NUMBA_DISABLE_JIT=1` in the environment every function stays the plain Python that it is written in.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np
import numpy.ma  # numba looks there at a kernel's first call: in two threads at once, a first import may fail

from pipeline.numerics.cache import KernelCache, NotKeptError
from pipeline.numerics.parts import PartCompiler

if TYPE_CHECKING:
    from collections.abc import Callable

_Function = TypeVar("_Function", bound="Callable[..., object]")

_njit: Callable[..., Callable[[_Function], _Function]] = numba.njit  # whose own types leave out some options

COMPILED: bool = not numba.config.DISABLE_JIT  # type: ignore[attr-defined] # set by numba from the environment
"""Whether there is machine code in this process."""

int64: Callable[[Any], int] = np.int64  # type: ignore[assignment] # in all that is done with it here, it is one
"""`np.int64`, as an int to the type checker.

A constant that is passed to compiled functions is one of these: as a plain int, each of its values would get a
compilation of its own. Machine words are widened by it before anything is computed that may not fit them.
"""


def compiled(function: _Function) -> _Function:
    """Compile a function that other compiled code alone calls, as a part of each kernel that it is called in.

    It can't be called from Python unless nothing is compiled.
    """
    return _njit(
        error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=PartCompiler
    )(function)


def kernel(function: _Function) -> _Function:
    """Compile an entry point, to be called from Python; its machine code is kept on disk for the next process."""
    dispatcher: Any = _njit(error_model="numpy", nogil=True, no_cfunc_wrapper=True)(function)
    if COMPILED:
        with contextlib.suppress(NotKeptError):
            cache = KernelCache(function)
            dispatcher._cache = cache  # noqa: SLF001  # where numba's own `enable_caching` puts its own
            dispatcher.compile = cache.once(dispatcher.compile)
    compiled_function: _Function = dispatcher
    return compiled_function


def must_be_compiled(*kernels: Callable[..., object]) -> bool:
    """Return whether machine code has yet to be made of one of several kernels: it is neither here nor kept."""
    dispatchers: tuple[Any, ...] = kernels if COMPILED else ()
    return not all(dispatcher.overloads or _is_kept(dispatcher) for dispatcher in dispatchers)


def _is_kept(dispatcher: Any) -> bool:
    cache = dispatcher._cache  # noqa: SLF001  # where `kernel` has put it
    return isinstance(cache, KernelCache) and cache.is_kept(dispatcher.targetctx)
