"""Attackers of one's own by name: `module:Name`, or `path/to/file.py:Name`; loaded by each process for itself.

What is named is code, and is run: names come from whoever runs the program, never from a run's folder alone
(`Pipeline.resume`).
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import re
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.cage2.attackers.errors import AttackerError, AttackerNotFoundError
from pipeline.errors import own_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_FILE: Final = ".py"
_REFERENCE = re.compile(r"[^:,\0]+:[^\W\d]\w*")


class _FromSource(SourceFileLoader):
    """Runs a file as it stands, and keeps nothing of it: kept code is told apart by whole seconds."""

    def get_code(self, fullname: str) -> Any:
        """Return the code of the file."""
        return self.source_to_code(self.get_data(self.path), self.path)


def is_reference(name: str) -> bool:
    """Return whether a name is of somebody's own: it has the form, whether there is such a thing or not."""
    return _REFERENCE.fullmatch(name) is not None


def load(reference: str) -> Callable[..., Any]:
    """Return the class, or what else can be called, that a reference names. Its module is run for that.

    Raises:
        AttackerNotFoundError: There is no such module or file, or nothing of that name in it that can be called.
        AttackerError: The module or file raised.
    """
    place, _, name = reference.rpartition(":")
    _import_from(Path.cwd())
    try:
        module = _run_file(place) if place.endswith(_FILE) else importlib.import_module(place)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is told
        if isinstance(error, FileNotFoundError) and error.filename == place:
            raise AttackerNotFoundError(f"no attacker {reference!r}: there is no file {place}") from None
        if isinstance(error, ModuleNotFoundError) and error.name in _packages(place):
            told = f"no attacker {reference!r}: there is no module {error.name}. A file is named with its .py"
            raise AttackerNotFoundError(told) from None
        raise AttackerError(f"{own_traceback(error)}\nraised by {place}, to load {reference}") from None
    found = getattr(module, name, None)
    if found is None:
        near = difflib.get_close_matches(name, vars(module), n=1)
        advice = f": did you mean {near[0]}?" if near else ""
        raise AttackerNotFoundError(f"no attacker {reference!r}: there is no {name} in {place}{advice}")
    if not callable(found):
        raise AttackerNotFoundError(f"{reference} is {found!r:.80}, not a class or function that makes an attacker")
    return found  # type: ignore[no-any-return]  # callable, as was just seen


def load_attacker(reference: str) -> Callable[..., Any]:
    """Return what makes an attacker that chooses (`attacker.Attacker`); see `load`.

    Raises:
        AttackerNotFoundError: As said; or it is an agent of CybORG's form.
    """
    make = load(reference)
    if hasattr(make, "get_action") and not hasattr(make, "choose"):
        raise AttackerNotFoundError(
            f"{reference} has no choose(knowledge) but get_action, which is CybORG's form: it needs engine 'cyborg'"
        )
    return make


def source_digests(names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of the file that each reference among names is in, by reference.

    Raises:
        AttackerNotFoundError: One can't be read.
    """
    return {name: hashlib.sha256(_source(name)).hexdigest() for name in names if is_reference(name)}


def require_same(digests: Mapping[str, str], names: Iterable[str]) -> None:
    """Check that attackers are those that a run began with.

    Args:
        digests: Of the run, by reference (`source_digests`); what it doesn't have is not checked.
        names: The attackers.

    Raises:
        AttackerNotFoundError: A file has changed, or can't be read.
    """
    for reference, digest in source_digests(name for name in names if name in digests).items():
        if digest != digests[reference]:
            raise AttackerNotFoundError(
                f"{reference.rpartition(':')[0]} has changed since the run against {reference} began (SHA-256 "
                f"{digests[reference][:12]} then, {digest[:12]} now): put it back, or start another run"
            )


def _run_file(place: str) -> Any:
    with open(place, "rb"):  # noqa: PTH123  # for an error with the name as it was given
        pass
    _import_from(Path(place).absolute().parent)
    spec = importlib.util.spec_from_file_location(place, place, loader=_FromSource(place, place))
    assert spec is not None  # noqa: S101  # a .py file has a loader
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    sys.modules[place] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def _import_from(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _source(reference: str) -> bytes:
    place = reference.rpartition(":")[0]
    try:
        if place.endswith(_FILE):
            return Path(place).read_bytes()
        spec = importlib.util.find_spec(place)
        return Path(str(spec and spec.origin)).read_bytes()
    except Exception as error:  # noqa: BLE001  # a package may raise what it likes
        raise AttackerNotFoundError(f"no attacker {reference!r}: its source can't be read: {error}") from None


def _packages(module: str) -> list[str]:
    """Return a module's full name and those of the packages that it is in."""
    parts = module.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
