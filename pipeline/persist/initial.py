"""The policies that a run starts from instead of fresh ones: another run's, copied into its own folder.

another run's checkpoint -> policies_of -> initial.safetensors, and its SHA-256 in config.json -> read_initial -> resume

So the run doesn't need the other one again, and its configuration says what it began with.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from pipeline.errors import SetupError
from pipeline.persist.checkpoint import read_latest
from pipeline.persist.files import read_bytes, reason
from pipeline.persist.latest import find_run
from pipeline.persist.manifest import CheckpointError
from pipeline.persist.runs import INITIAL, read_config
from pipeline.policy.params import SHARED_POLICY
from pipeline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.config import Config
    from pipeline.policy.params import PolicyShape

_DIGITS: Final = {f"{workflow_id:03d}": workflow_id for workflow_id in range(SHARED_POLICY + 1)}
"""How each policy is named in the file."""
_SIZING: Final = ("observation_memory", "actions", "hidden_sizes")
"""Values of a configuration that a policy's sizes follow from."""


class InitialPoliciesError(SetupError):
    """A run can't start from the policies of another one."""

    def __init__(self, source: Path, reason: str) -> None:
        super().__init__(f"--init-from {source}: {reason}")


@dataclass(frozen=True, slots=True)
class InitialPolicies:
    """What a run starts from."""

    policies: Mapping[int, Mapping[str, torch.Tensor]]
    """By workflow, or `SHARED_POLICY` alone: `actor` and `critic`, float32 and flat."""
    content: bytes
    """The same as a file."""

    @property
    def sha256(self) -> str:
        """Of the file, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def policies_of(source: Path, config: Config, shape: PolicyShape) -> InitialPolicies:
    """Return the trained policies of a run, which may still be training, for another run to start from.

    Args:
        source: The run's folder, or its checkpoint.
        config: Of the run that is to start.
        shape: The sizes of its policies.

    Raises:
        InitialPoliciesError: There are none, they have other sizes, or are not those that the configuration names.
        RunFolderError: There is no run.
        CheckpointError: Its checkpoint is damaged.
    """
    run_dir = find_run(source)
    theirs, checkpoint = read_config(run_dir), read_latest(run_dir)
    values = {name: (getattr(theirs, name), getattr(config, name)) for name in _SIZING}
    differing = [f"{name} is {there} there and {here} here" for name, (there, here) in values.items() if there != here]
    if differing:
        raise InitialPoliciesError(source, f"its policies have other sizes: {', '.join(differing)}")
    saved = [policy for policy in checkpoint.policies if policy.num_updates > 0] if checkpoint else []
    if not saved:
        raise InitialPoliciesError(source, "it has no trained policy yet: go on with it until it has made a checkpoint")
    if config.policy == "shared" and theirs.policy != "shared":
        raise InitialPoliciesError(source, "it has a policy per workflow, and a shared one starts from a shared one")
    tensors = {
        f"{policy.workflow_id:03d}.{name}": tensor
        for policy in saved
        for name, tensor in policy.tensors.items()
        if name in {"actor", "critic"}  # Adam begins afresh
    }
    try:
        initial = InitialPolicies(_by_workflow(tensors, shape), save(tensors))
    except ValueError as error:
        raise InitialPoliciesError(source, str(error)) from None
    if config.init_sha256 not in (None, initial.sha256):
        reason = f"its policies have the SHA-256 {initial.sha256}, and this run is to start from {config.init_sha256}"
        raise InitialPoliciesError(source, reason)
    return initial


def read_initial(run_dir: Path, sha256: str, shape: PolicyShape) -> InitialPolicies:
    """Return what a run started from, out of its own folder.

    Args:
        run_dir: The run's folder.
        sha256: By its configuration.
        shape: The sizes of its policies.

    Raises:
        CheckpointError: The file is missing, damaged, or not the one that the run started from.
    """
    path = run_dir / INITIAL
    try:
        content = read_bytes(path)
        if hashlib.sha256(content).hexdigest() != sha256:
            msg = f"{path} was altered or damaged: its checksum doesn't fit. Restore it, or start another run"
            raise CheckpointError(msg)
        return InitialPolicies(_by_workflow(load(content), shape), content)
    except (OSError, ValueError, SafetensorError) as error:
        msg = f"can't read {path}, which the run started from: {reason(error)}. Restore it, or start another run"
        raise CheckpointError(msg) from None


def _by_workflow(tensors: Mapping[str, torch.Tensor], shape: PolicyShape) -> dict[int, dict[str, torch.Tensor]]:
    """Return the tensors of each policy, by their names in it.

    Args:
        tensors: By the workflow's three digits, a dot, and `actor` or `critic`.
        shape: The sizes of every policy.

    Raises:
        ValueError: One of them is none that a policy has, or one is missing.
    """
    sizes = {"actor": (shape.actor.num_values,), "critic": (shape.critic.num_values,)}
    policies: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        digits, _, network = name.partition(".")
        fits = (tensor.dtype, tuple(tensor.shape)) == (torch.float32, sizes.get(network))
        if not (digits in _DIGITS and fits and bool(tensor.isfinite().all())):
            msg = f"{printable(name)} is no policy's: {tensor.dtype}, {tuple(tensor.shape)}, or not finite"
            raise ValueError(msg)
        policies.setdefault(_DIGITS[digits], {})[network] = tensor
    if not policies or any(policy.keys() != sizes.keys() for policy in policies.values()):
        msg = "a policy lacks its actor or its critic"
        raise ValueError(msg)
    return policies
