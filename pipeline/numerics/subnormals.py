"""Subnormal numbers, those too small for a float's exponent, taken for 0 by the threads that compute.

On some processors each operation that meets one takes a hundred times as long. What is computed here avoids them; where
one comes up all the same, it costs no time and changes no result that a larger number has a part in.

The mode is a thread's own, and threads that it starts inherit it. It is a part of the floating-point environment, which
the C library reads and writes (C11, `fenv.h`).
"""

from __future__ import annotations

import contextlib
import ctypes
import platform
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_Environment = ctypes.c_uint32 * 16
"""Room for any `fenv_t`; glibc's and musl's take 8 of them at most."""
_CONTROLS = {
    "x86_64": (7, 0x8040),  # MXCSR: results (bit 15) and operands (bit 6)
    "aarch64": (0, 1 << 24),  # FPCR: both
}
"""By machine: which word of Linux's `fenv_t` controls arithmetic, and its bits that flush."""
_WORD, _FLUSHING = _CONTROLS.get(platform.machine(), (0, 0)) if sys.platform == "linux" else (0, 0)
_LIBRARY = ctypes.CDLL(None) if _FLUSHING else None


def flush_subnormals() -> None:
    """Have this thread take subnormal numbers for 0 from now on: for threads and processes that are our own."""
    _replace(_FLUSHING)


@contextlib.contextmanager
def subnormals_flushed() -> Iterator[None]:
    """Take subnormal numbers for 0 inside the block, and go on afterwards as this thread did before."""
    before = _replace(_FLUSHING)
    try:
        yield
    finally:
        _replace(before)


def _replace(flushing: int) -> int:
    """Set this thread's bits that flush, and return what they were."""
    if _LIBRARY is None:  # another machine: slower, perhaps
        return 0
    environment = _Environment()
    _LIBRARY.fegetenv(environment)
    before = environment[_WORD] & _FLUSHING
    environment[_WORD] ^= before ^ flushing
    _LIBRARY.fesetenv(environment)
    return before
