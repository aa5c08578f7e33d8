"""The latest checkpoint of a run that may be alive: where it is, and the weights in it, read without torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from safetensors import SafetensorError
from safetensors.numpy import load

from pipeline.persist.files import read_bytes
from pipeline.persist.manifest import CheckpointError, read_manifest
from pipeline.persist.runs import read_config
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from pipeline.persist.manifest import File, PolicyFile
    from pipeline.policy.params import PolicyShape

MANIFEST: Final = "manifest.json"
CHECKPOINT: Final = "checkpoint"
"""The folder's name, in the run's."""
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Latest:
    """What a checkpoint says of the policies in it."""

    folder: Path
    search: dict[str, Any]
    """`workflows.search.Search.state()`."""
    in_training: tuple[int, ...]
    """Workflows of the visits in progress."""
    policies: tuple[PolicyFile, ...]

    def weights(
        self, policy: PolicyFile, shape: PolicyShape
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return an actor's weights and its critic's, each flat.

        Args:
            policy: One of those here.
            shape: Of the run's policies.

        Raises:
            CheckpointError: The file is damaged, gone, or of a policy of another shape.
        """
        path = self.folder / policy.file
        try:
            tensors = load(read_checked(path, policy))
            actor, critic = tensors["actor"], tensors["critic"]
        except (SafetensorError, KeyError) as error:
            msg = f"can't read {path}: {error}"
            raise CheckpointError(msg) from None
        for name, weights, mlp in (("an actor", actor, shape.actor), ("a critic", critic, shape.critic)):
            if (weights.dtype.name, weights.shape) != ("float32", (mlp.num_values,)):
                msg = (
                    f"{path} has {name} of {weights.shape} {weights.dtype}, and the run's have {mlp.num_values} float32"
                )
                raise CheckpointError(msg)
        return actor, critic


def find_run(path: Path) -> Path:
    """Return the folder of the run that a path means: the folder itself, its checkpoint's, or a file in that."""
    folder = path.parent if path.name == MANIFEST or path.suffix == ".safetensors" else path
    is_checkpoint = folder.name == CHECKPOINT and not (folder / "config.json").exists()
    return folder.parent if is_checkpoint else folder


def reading_again(run_dir: Path, read: Callable[[], _Read]) -> _Read:
    """Return what is read from a run's checkpoint; once more whenever the run has replaced it meanwhile.

    Raises:
        RunFolderError: There is no run.
        CheckpointError: The checkpoint is damaged.
    """
    while True:
        before = _stamp(run_dir)
        try:
            return read()
        except CheckpointError:
            if _stamp(run_dir) == before:
                raise


def latest_of(run_dir: Path) -> Latest | None:
    """Return what a run's checkpoint says of its policies, or None if there is none yet.

    Files that it names may be gone by the time that they are read: do all within `reading_again`.

    Raises:
        RunFolderError: There is no run.
        CheckpointError: The checkpoint is damaged.
    """
    folder = require_own(run_dir / CHECKPOINT)
    manifest = read_manifest(folder / MANIFEST, what_results_depend_on(read_config(run_dir)))
    if manifest is None:
        return None
    in_training = tuple(entry.visit.get("workflow_id", -1) for entry in manifest.visits if entry)
    return Latest(folder, manifest.search, in_training, tuple(manifest.policies))


def require_own(folder: Path) -> Path:
    """Return a checkpoint's folder, if it is the run's own.

    Raises:
        CheckpointError: A symbolic link stands for it.
    """
    if folder.is_symlink():
        msg = f"{folder} is a symbolic link, which a run never makes: put the folder itself there"
        raise CheckpointError(msg)
    return folder


def read_checked(path: Path, entry: File) -> bytes:
    """Return what is in a file of a checkpoint.

    Raises:
        CheckpointError: It is missing, or not what the manifest says.
    """
    try:
        content = read_bytes(path)
    except OSError as error:
        msg = f"the checkpoint lacks {path}: {error.strerror}. Restore it, or start another run"
        raise CheckpointError(msg) from None
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        msg = f"{path} was altered or damaged: its checksum doesn't fit. Restore it, or start another run"
        raise CheckpointError(msg)
    return content


def _stamp(run_dir: Path) -> tuple[int, int] | None:
    try:
        status = (run_dir / CHECKPOINT / MANIFEST).stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
