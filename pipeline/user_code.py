"""Users' own code by name, `module:Name` or `path/to/file.py:Name`: found and run by each process for itself.

    module     imported; the working folder can be imported from
    file.py    run, and again when its content has changed; its own folder can be imported from, too

What is named is code: names come from whoever runs the program, never from a run's folder alone (`Pipeline.resume`).
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import importlib.util
import os
import sys
import zlib
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, ModuleType

SUFFIX = ".py"
"""What a file's name ends with."""


class CodeNotFoundError(SetupError):
    """There is no such module or file, or nothing of that name in it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a name refers to."""

    what: Any
    sha256: str | None
    """Of the source as it was when it was run; None if it can't be read, as that of `__main__`."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A module that was run in this process."""

    module: ModuleType
    sha256: str | None


_files: dict[Path, _Run] = {}
_imported: dict[str, _Run] = {}


def find(reference: str) -> Found:
    """Return what is named, whose module is run for that unless it has been. No bytecode is written meanwhile.

    Raises:
        CodeNotFoundError: There is no such module or file, or nothing of that name in it.
        BaseException: Whatever the code raises, `SystemExit` included.
    """
    place, _, name = reference.rpartition(":")
    _import_from(Path.cwd())
    with _nothing_written():
        run = _run_file(place) if place.endswith(SUFFIX) else _import(place)
    if not hasattr(run.module, name):
        near = difflib.get_close_matches(name, [each for each in vars(run.module) if not each.startswith("_")])
        advice = f": did you mean {' or '.join(near)}?" if near else ""
        raise CodeNotFoundError(f"there is no {name} in {place}{advice}")
    return Found(getattr(run.module, name), run.sha256)


def _run_file(place: str) -> _Run:
    path = Path(place).absolute()
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CodeNotFoundError(f"there is no file {place}") from None
    except OSError as error:
        raise CodeNotFoundError(f"{place} can't be read: {error.strerror}") from None
    sha256 = hashlib.sha256(content).hexdigest()
    known = _files.get(path)
    if known is not None and known.sha256 == sha256:
        return known
    _import_from(path.parent)
    name = _free_name(path) if known is None else known.module.__name__
    loader = _FromSource(name, place, content)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None  # noqa: S101  # it has a loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        if known is not None:
            sys.modules[name] = known.module
        raise
    _files[path] = _Run(module, sha256)
    return _files[path]


class _FromSource(SourceFileLoader):
    """Runs a file's content as it was read; bytecode that is kept of it would be told apart by whole seconds."""

    def __init__(self, name: str, place: str, content: bytes) -> None:
        super().__init__(name, place)  # tracebacks show the file as it was named
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the content."""
        code: CodeType = self.source_to_code(self._content, self.path)
        return code


def _free_name(path: Path) -> str:
    """Return what a file's module goes by: as if it had been imported, unless another module goes by that."""
    return path.stem if path.stem not in sys.modules else f"_{path.stem}_{zlib.crc32(os.fsencode(path)):08x}"


def _import(place: str) -> _Run:
    known = _imported.get(place)
    if known is not None and sys.modules.get(place) is known.module:
        return known
    try:
        sha256 = _sha256_of_module(place)  # before it is run, for it may be changed afterwards
        _imported[place] = _Run(importlib.import_module(place), sha256)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{place}.".startswith(f"{error.name}."):
            told = f"there is no module {error.name}, here or installed: a file is named with its {SUFFIX}"
            raise CodeNotFoundError(told) from None
        raise
    return _imported[place]


def _sha256_of_module(place: str) -> str | None:
    try:
        spec = importlib.util.find_spec(place)
    except ValueError:  # `__main__`, where it is no module
        return None
    if spec is None or spec.origin is None or not spec.has_location:
        return None
    try:
        return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
    except OSError:  # in an archive, say
        return None


def _import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@contextlib.contextmanager
def _nothing_written() -> Iterator[None]:
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = kept
