"""All that a run needs to go on exactly: safetensors for numbers, JSON for the rest, nothing that executes.

```
checkpoint/manifest.json                    what belongs together; replaced last, so it names whole files only
checkpoint/policy-017-000042.safetensors    workflow 17 after its update 42: weights and optimizer
checkpoint/behavior-017-000042.safetensors  the weights that the next batches of its visit are played with
```
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from pipeline.persist.files import TEMPORARY_SUFFIX, WriteError, read_bytes, sync, write_bytes
from pipeline.persist.latest import CHECKPOINT, MANIFEST, read_checked, reading_again, require_own
from pipeline.persist.manifest import CheckpointError, File, Manifest, PolicyFile, VisitEntry, read_manifest
from pipeline.persist.runs import read_config
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch


@dataclass(frozen=True, slots=True)
class SavedPolicy:
    """One workflow's policy at the end of an update. The tensors are replaced by the next update, never changed."""

    workflow_id: int
    num_updates: int
    num_episodes: int
    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class SavedVisit:
    """A visit in progress."""

    visit: dict[str, Any]
    """`learn.visit.Visit.to_json()`."""
    behavior_weights: tuple[torch.Tensor, ...]
    """Flat actor weights after the last `policy_lag + 1` updates of the visit, the newest last."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run at the end of a tick (`run.training`)."""

    search: dict[str, Any]
    """`workflows.search.Search.state()`."""
    visits: tuple[SavedVisit | None, ...]
    """By place: what is in training there."""
    policies: tuple[SavedPolicy, ...]
    total_episodes: int
    total_updates: int
    log_sizes: dict[str, int]
    """Bytes of each log that belong to this state; resuming cuts off what came later."""


class CheckpointFolder:
    """Writes checkpoints of one run; only what changed since the last one is written again."""

    def __init__(self, run_dir: Path) -> None:
        """Look at a run's folder, which exists and is this process's (`RunFolder`).

        Args:
            run_dir: The run's folder.

        Raises:
            RunFolderError: If it has no configuration that can be read.
        """
        self.path = run_dir / CHECKPOINT
        self._run_dir = run_dir
        config = read_config(run_dir)
        self.total_episodes = config.total_episodes
        """The budget that the run has, by its `config.json`."""
        self._configuration = what_results_depend_on(config)
        self._identity = _identity(run_dir)
        self._digests: dict[str, str] = {}

    def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then remove files that only older ones needed. Blocks; not to be called on the loop.

        Raises:
            WriteError: If the disk is full, say; the previous checkpoint stays good, and no room is lost.
        """
        before = set(self._digests)
        try:
            self._prepare()
            self._write(checkpoint)
        except (OSError, WriteError) as error:
            with contextlib.suppress(OSError):
                self._remove_unnamed(self._digests.keys() - before)
            if isinstance(error, OSError):
                raise WriteError(self.path, error) from error
            raise

    def read(self) -> Checkpoint | None:
        """Return the run's checkpoint, or None if none was written yet.

        Raises:
            CheckpointError: If it is damaged, of another format, or of a run with another configuration.
        """
        manifest = read_manifest(require_own(self.path) / MANIFEST, self._configuration)
        if manifest is None:
            return None
        return Checkpoint(
            search=manifest.search,
            visits=tuple(self._load_visit(entry) if entry else None for entry in manifest.visits),
            policies=tuple(
                SavedPolicy(entry.workflow_id, entry.num_updates, entry.num_episodes, self._load(entry))
                for entry in manifest.policies
            ),
            total_episodes=manifest.total_episodes,
            total_updates=manifest.total_updates,
            log_sizes=manifest.log_sizes,
        )

    def _prepare(self) -> None:
        """See that the folder is there, and is the one that this process has the lock of."""
        if _identity(self._run_dir) != self._identity:
            raise OSError(errno.ESTALE, "another folder has taken the place of the run's own")
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, "it is a symbolic link")
        if not self.path.is_dir():
            self.path.mkdir()
            sync(self._run_dir)

    def _write(self, checkpoint: Checkpoint) -> None:
        policies = [
            PolicyFile(
                workflow_id=policy.workflow_id,
                num_updates=policy.num_updates,
                num_episodes=policy.num_episodes,
                **self._save(f"policy-{policy.workflow_id:03d}-{policy.num_updates:06d}", policy.tensors),
            )
            for policy in checkpoint.policies
        ]
        visits = [self._save_visit(saved) if saved else None for saved in checkpoint.visits]
        for name in checkpoint.log_sizes:
            # after a power cut no log may be shorter than the manifest says; one that somebody removed stays removed
            with contextlib.suppress(FileNotFoundError):
                sync(self._run_dir / name)
        manifest = Manifest(
            configuration=self._configuration,
            search=checkpoint.search,
            visits=visits,
            policies=policies,
            total_episodes=checkpoint.total_episodes,
            total_updates=checkpoint.total_updates,
            log_sizes=checkpoint.log_sizes,
        )
        manifest.write(self.path / MANIFEST)
        self._remove_all_but(manifest.file_names)

    def _save(self, stem: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        """Write tensors unless they are on disk already; return the file's name and checksum."""
        name = f"{stem}.safetensors"
        if name not in self._digests or not (self.path / name).is_file():
            content = save(dict(tensors))
            write_bytes(self.path / name, content)
            self._digests[name] = hashlib.sha256(content).hexdigest()
        return {"file": name, "sha256": self._digests[name]}

    def _save_visit(self, saved: SavedVisit) -> VisitEntry:
        visit = saved.visit
        tensors = {f"{age:02d}": weights for age, weights in enumerate(saved.behavior_weights)}
        stem = f"behavior-{visit['workflow_id']:03d}-{visit['first_update'] + visit['num_updates']:06d}"
        return VisitEntry(visit=visit, behavior=File(**self._save(stem, tensors)))

    def _load_visit(self, entry: VisitEntry) -> SavedVisit:
        behavior = self._load(entry.behavior)
        return SavedVisit(entry.visit, tuple(behavior[name] for name in sorted(behavior)))

    def _load(self, entry: File) -> dict[str, torch.Tensor]:
        path = self.path / entry.file
        content = read_checked(path, entry)
        self._digests[path.name] = entry.sha256
        try:
            return load(content)
        except SafetensorError as error:
            msg = f"can't read {path}: {error}"
            raise CheckpointError(msg) from None

    def _remove_all_but(self, names: set[str]) -> None:
        for path in self.path.iterdir():
            if path.suffix in {".safetensors", TEMPORARY_SUFFIX} and path.name not in names:
                path.unlink(missing_ok=True)
                self._digests.pop(path.name, None)

    def _remove_unnamed(self, names: set[str]) -> None:
        """Remove what a failed write left, unless its manifest got as far as the disk and names it."""
        for name in names:
            del self._digests[name]  # so that the next write doesn't take it for one that is on disk
        try:
            manifest = read_bytes(self.path / MANIFEST)
        except FileNotFoundError:
            manifest = b""
        for name in names:
            if name.encode() not in manifest:
                (self.path / name).unlink(missing_ok=True)


def read_latest(run_dir: Path) -> Checkpoint | None:
    """Return the checkpoint of a run that may be alive, or None if it has none yet.

    Raises:
        RunFolderError: There is no run.
        CheckpointError: The checkpoint is damaged.
    """
    return reading_again(run_dir, lambda: CheckpointFolder(run_dir).read())


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
