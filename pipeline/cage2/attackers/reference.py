"""Attackers of one's own by name: `module:Name`, or `path/to/file.py:Name`; see `user_code`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline import user_code
from pipeline.cage2.attackers.errors import AttackerError, AttackerNotFoundError
from pipeline.errors import own_traceback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_REFERENCE = re.compile(r"[^:,\0]+:[^\W\d]\w*")


def is_reference(name: str) -> bool:
    """Return whether a name is of somebody's own: it has the form, whether there is such a thing or not."""
    return _REFERENCE.fullmatch(name) is not None


def load(reference: str) -> Callable[..., Any]:
    """Return the class, or what else can be called, that a reference names. Its module is run for that.

    Raises:
        AttackerNotFoundError: There is no such module or file, or nothing of that name in it that can be called.
        AttackerError: The module or file raised.
    """
    found = _find(reference).what
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
    """Return the SHA-256 of the file that each reference among names is in, as it was run here, by reference.

    Raises:
        AttackerNotFoundError, AttackerError: See `load`; or a file can't be read.
    """
    return {name: _sha256(name) for name in names if is_reference(name)}


def require_same(digests: Mapping[str, str], names: Iterable[str]) -> None:
    """Check that attackers are those that a run began with.

    Args:
        digests: Of the run, by reference (`source_digests`); what it doesn't have is not checked.
        names: The attackers.

    Raises:
        AttackerNotFoundError: A file has changed.
        AttackerNotFoundError, AttackerError: See `source_digests`.
    """
    for reference, digest in source_digests(name for name in names if name in digests).items():
        if digest != digests[reference]:
            raise AttackerNotFoundError(
                f"{reference.rpartition(':')[0]} has changed since the run against {reference} began (SHA-256 "
                f"{digests[reference][:12]} then, {digest[:12]} now): put it back, or start another run"
            )


def _find(reference: str) -> user_code.Found:
    try:
        return user_code.find(reference)
    except user_code.CodeNotFoundError as error:
        raise AttackerNotFoundError(f"no attacker {reference!r}: {error}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is told
        place = reference.rpartition(":")[0]
        raise AttackerError(f"{own_traceback(error)}\nraised by {place}, to load {reference}") from None


def _sha256(reference: str) -> str:
    sha256 = _find(reference).sha256
    if sha256 is None:
        raise AttackerNotFoundError(f"no attacker {reference!r}: its source can't be read")
    return sha256
