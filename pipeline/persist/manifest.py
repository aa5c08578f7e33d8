"""The manifest of a checkpoint: which files belong together, and the small values. Checked before anything is believed.

read_json -> format -> checksum -> every field's type -> the run's configuration -> Manifest
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import SetupError
from pipeline.persist.files import read_json, reason, write_json
from pipeline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = 2
_BUDGETS: Final = ("earlier_budgets", "total_episodes")
Count = Annotated[int, Field(ge=0)]


class CheckpointError(SetupError):
    """A checkpoint is missing, damaged, of another format, or of a run with another configuration."""


class File(BaseModel):
    """A file of the checkpoint."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    file: Annotated[str, Field(pattern=r"^(policy|behavior)-[0-9-]+\.safetensors$")]
    """Its name: nothing outside the folder is ever read."""
    sha256: str


class PolicyFile(File):
    """A file that holds a workflow's policy."""

    workflow_id: Annotated[int, Field(ge=0, le=120)]
    """120: the one that serves all orders."""
    num_updates: Count
    num_episodes: Count


class VisitEntry(BaseModel):
    """A visit in progress, and the weights that its next batches are played with."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    visit: dict[str, Any]
    behavior: File


class Manifest(BaseModel):
    """What is in `manifest.json`, beside its own checksum; see `checkpoint.Checkpoint`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: Literal[2] = FORMAT
    configuration: dict[str, Any]
    """What the run's results depend on: the checkpoint is of no use to a run of another configuration."""
    search: dict[str, Any]
    visits: list[VisitEntry | None]
    policies: list[PolicyFile]
    total_episodes: Count
    total_updates: Count
    log_sizes: dict[str, Count]

    @property
    def file_names(self) -> set[str]:
        """Names of all files that belong to the checkpoint."""
        return {entry.file for entry in (*self.policies, *(visit.behavior for visit in self.visits if visit))}

    def write(self, path: Path) -> None:
        """Write it, with its checksum.

        Raises:
            WriteError: If the disk is full, say; then the file is as it was.
            ValueError: If a value is one that JSON has no word for.
        """
        content = self.model_dump()
        write_json(path, {**content, "sha256": digest(content)})


def read_manifest(path: Path, configuration: Mapping[str, Any]) -> Manifest | None:
    """Return what is in a manifest, or None if there is none.

    Args:
        path: The file.
        configuration: What the run's results depend on.

    Raises:
        CheckpointError: If it is damaged, of another format, or of a run with another configuration.
    """
    try:
        content = read_json(path)
        fits = isinstance(content, dict) and content.get("sha256") == digest(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        msg = f"can't read {path}: {reason(error)}. Restore it, or start another run"
        raise CheckpointError(msg) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        msg = f"{path} is not a checkpoint of format {FORMAT}: go on with the version that wrote it"
        raise CheckpointError(msg)
    if not fits:
        msg = f"{path} was altered or damaged: its checksum doesn't fit. Restore it, or start another run"
        raise CheckpointError(msg)
    del content["sha256"]
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = printable(".".join(map(str, first["loc"])))
        msg = f"can't read {path}: {where}: {first['msg']}. Go on with the version that wrote it"
        raise CheckpointError(msg) from None
    _require_same(path, manifest.configuration, configuration)
    return manifest


def digest(content: Mapping[str, Any]) -> str:
    """Return the checksum of a manifest's values, its own left out."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _require_same(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    if _is_of_an_earlier_budget(theirs, ours):
        theirs = {**theirs, **{name: ours[name] for name in _BUDGETS}}
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours or name not in theirs or ours[name] != theirs[name]:
            msg = (
                f"{path} is of another configuration: there {name} is {theirs.get(name)}, in the run's config.json "
                f"{ours.get(name)}. Put back what was changed, or start another run"
            )
            raise CheckpointError(printable(msg))


def _is_of_an_earlier_budget(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    """Return whether a checkpoint was written before its run had its last budget, which `config.json` has first."""
    earlier = ours.get("earlier_budgets", [])
    return any(
        [theirs.get(name) for name in _BUDGETS] == [earlier[:place], budget] for place, budget in enumerate(earlier)
    )
