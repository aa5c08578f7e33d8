"""All that a run needs to go on exactly: safetensors for numbers, JSON for the rest, nothing that executes.

```
checkpoint/manifest.json                    what belongs together; replaced last, so it names whole files only
checkpoint/policy-017-000042.safetensors    workflow 17 after its update 42: weights and optimizer
checkpoint/behavior-000042.safetensors      the weights that the next batches of the visit are played with
```
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from pipeline.errors import SetupError
from pipeline.persist.files import TEMPORARY_SUFFIX, write_bytes, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch

FORMAT = 1
MANIFEST = "manifest.json"


class CheckpointError(SetupError):
    """A checkpoint is missing, damaged, or of another format."""


@dataclass(frozen=True, slots=True)
class SavedPolicy:
    """One workflow's policy at the end of an update. The tensors are nobody else's."""

    workflow_id: int
    num_updates: int
    num_episodes: int
    tensors: Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run at the end of an update."""

    search: dict[str, Any]
    """`workflows.search.Search.state()`."""
    visit: dict[str, Any] | None
    """`learn.visit.Visit.to_json()` of the visit in progress, if there is one."""
    behavior_weights: tuple[torch.Tensor, ...]
    """Flat actor weights after the last `policy_lag + 1` updates of the visit, the newest last."""
    policies: tuple[SavedPolicy, ...]
    total_episodes: int
    total_updates: int
    log_sizes: dict[str, int]
    """Bytes of each log that belong to this state; resuming cuts off what came later."""


class CheckpointFolder:
    """Writes checkpoints of one run; only what changed since the last one is written again."""

    def __init__(self, run_dir: Path) -> None:
        """Args: run_dir: the run's folder."""
        self.path = run_dir / "checkpoint"
        self._digests: dict[str, str] = {}

    def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, then remove files that only older ones needed. Blocks; not to be called on the loop.

        Raises:
            OSError: If the disk is full, say; the previous checkpoint stays good.
        """
        self.path.mkdir(exist_ok=True)
        policies: list[dict[str, Any]] = [
            {
                "workflow_id": policy.workflow_id,
                "num_updates": policy.num_updates,
                "num_episodes": policy.num_episodes,
                **self._save(f"policy-{policy.workflow_id:03d}-{policy.num_updates:06d}", policy.tensors),
            }
            for policy in checkpoint.policies
        ]
        behavior = None
        if checkpoint.behavior_weights:
            tensors = {f"{age:02d}": weights for age, weights in enumerate(checkpoint.behavior_weights)}
            behavior = self._save(f"behavior-{checkpoint.total_updates:06d}", tensors)
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "search": checkpoint.search,
            "visit": checkpoint.visit,
            "behavior": behavior,
            "policies": policies,
            "total_episodes": checkpoint.total_episodes,
            "total_updates": checkpoint.total_updates,
            "log_sizes": checkpoint.log_sizes,
        }
        manifest["sha256"] = _manifest_digest(manifest)
        write_json(self.path / MANIFEST, manifest)
        self._remove_all_but({entry["file"] for entry in [*policies, *([behavior] if behavior else [])]})

    def read(self) -> Checkpoint | None:
        """Return the run's checkpoint, or None if none was written yet.

        Raises:
            CheckpointError: If it is damaged or of another format.
        """
        path = self.path / MANIFEST
        try:
            manifest = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            msg = f"can't read {path}: {error}. Restore it, or start another run"
            raise CheckpointError(msg) from None
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            msg = f"{path} is not a checkpoint of format {FORMAT}: go on with the version that wrote it"
            raise CheckpointError(msg)
        if manifest.get("sha256") != _manifest_digest(manifest):
            msg = f"{path} was altered or damaged: its checksum doesn't fit. Restore it, or start another run"
            raise CheckpointError(msg)
        behavior = self._load(manifest["behavior"]) if manifest["behavior"] else {}
        return Checkpoint(
            search=manifest["search"],
            visit=manifest["visit"],
            behavior_weights=tuple(behavior[name] for name in sorted(behavior)),
            policies=tuple(
                SavedPolicy(entry["workflow_id"], entry["num_updates"], entry["num_episodes"], self._load(entry))
                for entry in manifest["policies"]
            ),
            total_episodes=manifest["total_episodes"],
            total_updates=manifest["total_updates"],
            log_sizes=manifest["log_sizes"],
        )

    def _save(self, stem: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
        """Write tensors unless they are on disk already; return the manifest's entry."""
        name = f"{stem}.safetensors"
        if name not in self._digests:
            content = save(dict(tensors))
            write_bytes(self.path / name, content)
            self._digests[name] = hashlib.sha256(content).hexdigest()
        return {"file": name, "sha256": self._digests[name]}

    def _load(self, entry: dict[str, Any]) -> dict[str, torch.Tensor]:
        path = self.path / entry["file"]
        if path.parent != self.path:
            msg = f"{self.path / MANIFEST} names a file outside its folder: {entry['file']}"
            raise CheckpointError(msg)
        try:
            content = path.read_bytes()
        except OSError as error:
            msg = f"the checkpoint lacks {path}: {error.strerror}. Restore it, or start another run"
            raise CheckpointError(msg) from None
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            msg = f"{path} was altered or damaged: its checksum doesn't fit. Restore it, or start another run"
            raise CheckpointError(msg)
        self._digests[path.name] = entry["sha256"]
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


def _manifest_digest(manifest: dict[str, Any]) -> str:
    content = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
