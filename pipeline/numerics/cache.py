"""Machine code on disk for the next process: numba's cache, but for what is stale and where it lies.

numba takes kept code for stale when the file of the kernel itself has changed. Here it is stale when any module has
changed that the kernel's own imports, directly or not: all that a kernel calls, and every constant that it was compiled
with, is in one of them.

Where no folder can be written to, numba fails when the kernel is defined. Here more folders are tried, and if there is
none, every process compiles for itself (`why_not_kept`).

And where numba has every process compile that finds nothing, here one does, and the others wait and load:

```
load -> kept --------------------------------------------------------> run
     -> nothing -> lock -> look again -> kept, by who had the lock --> unlock, run
                                      -> nothing -> compile, keep ---> unlock, run
```
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numba import config
from numba.core import caching
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime import rtsys  # type: ignore[attr-defined]  # numba's own import

from pipeline.numerics.file_lock import FileLock
from pipeline.numerics.sources import UnreadableSourceError, source_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME = "cage2-pipeline"
WAIT_S = 120.0
"""For another process that compiles a kernel, at most: several times what the largest takes. It may be stopped."""
_UNREADABLE = (OSError, EOFError, caching.pickle.UnpicklingError)  # type: ignore[attr-defined] # numba's import


class NotKeptError(Exception):
    """Machine code can't be kept; the message says why."""


class _Locator:
    """What numba asks: where a kernel's code lies, and for a stamp that changes when it gets stale."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._py_file = function.__code__.co_filename  # named in numba's warnings
        self._line = function.__code__.co_firstlineno
        self._folder = _folder(function.__globals__.get("__file__", self._py_file))
        self._stamp = _stamp(function.__module__)

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Files(caching.CompileResultCacheImpl):
    """What files are called and what they hold; asks `_Locator` whatever `NUMBA_CACHE_LOCATOR_CLASSES` says."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._lineno = function.__code__.co_firstlineno
        self._locator = _Locator(function)
        self._filename_base = self.get_filename_base(f"{function.__module__}.{function.__qualname__}", sys.abiflags)


class KernelCache(caching.FunctionCache):
    """What is kept of one kernel.

    Args:
        function: The kernel, in Python.

    Raises:
        NotKeptError: Nothing can be.
    """

    _impl_class = _Files

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)
        self._lock = FileLock(Path(self._cache_path, f"{self._impl.filename_base}.lock"))
        self._paused_collector = False

    def once(self, compile_kernel: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return what compiles the kernel for a signature, or loads it, so that of several processes one compiles.

        Args:
            compile_kernel: The kernel's own `compile`, which asks `load_overload` first and `save_overload` at its end.
        """

        def compile_once(signature: Any) -> Any:
            with global_compiler_lock:  # which keeps threads apart
                try:
                    return compile_kernel(signature)
                finally:
                    self._lock.release()
                    if self._paused_collector:
                        gc.enable()
                        self._paused_collector = False

        return compile_once

    def is_kept(self, target_context: Any) -> bool:
        """Return whether there is machine code for this processor, for whatever signature."""
        processor = target_context.codegen().magic_tuple()
        try:
            index = self._cache_file._load_index()  # noqa: SLF001  # or only whole code could be asked for
        except _UNREADABLE:
            return False
        return any(kept_for == processor for _, kept_for, _ in index)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what is kept for a signature; None if nothing is, or nothing that can be read, and it is to be made.

        Then the lock is held, and `once` gives it back.
        """
        found = self._load(sig, target_context)
        if found is None:
            self._lock.acquire(WAIT_S)
            found = self._load(sig, target_context)
        if found is None and gc.isenabled():
            gc.disable()  # a tenth of what compiling takes, for next to nothing that could be collected
            self._paused_collector = True
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for a signature, if it can be done: the disk may be full by now."""
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)

    def _load(self, sig: Any, target_context: Any) -> Any:
        try:
            # not `load_overload`: it has numba learn about all of NumPy first, and look for SciPy, which takes four
            # times as long as to load. Where something is compiled numba sees to that itself
            rtsys.initialize(target_context)  # for what allocates
            return self._load_overload(sig, target_context)
        except _UNREADABLE:
            with contextlib.suppress(OSError):
                self.flush()  # `save_overload` reads the index as well
            return None


def why_not_kept() -> str | None:
    """Return why machine code isn't kept on disk and what to do, as one line for people; None if it is."""
    try:
        _folder(__file__)
        _stamp(__name__)
    except NotKeptError as error:
        return f"machine code is compiled anew at every start: {error}"
    return None


def folders(file: str) -> Iterator[Path]:
    """Yield where the machine code of a module may lie, the best place first. They may not be there yet.

    Args:
        file: The module's.
    """
    home = Path(file).parent.absolute()
    own = f"{home.name}-{hashlib.sha256(bytes(home)).hexdigest()[:16]}"  # another installation's has another name
    wanted: str = config.CACHE_DIR  # type: ignore[attr-defined] # set by numba from the environment
    if wanted:
        yield Path(wanted, own)
    yield home / "__pycache__"
    with contextlib.suppress(RuntimeError):  # nobody knows where the user's home is
        caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
        yield Path(caches if caches.is_absolute() else Path.home() / ".cache", _NAME, own)
    with contextlib.suppress(OSError, AttributeError):  # Windows has no user ids
        yield _private_folder() / own


def _private_folder() -> Path:
    """Return a folder among temporary files that is this user's alone, made if need be: what lies there is executed.

    Raises:
        OSError: It can't be made, or what is there is somebody else's, or open to others.
    """
    folder = Path(tempfile.gettempdir(), f"{_NAME}-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError
    return folder


@functools.cache
def _folder(file: str) -> Path:
    for folder in folders(file):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return folder
    raise NotKeptError("no folder for it can be written to; NUMBA_CACHE_DIR may name one")


def _stamp(module: str) -> str:
    try:
        return source_digest(module)
    except UnreadableSourceError as error:
        raise NotKeptError(str(error)) from None
