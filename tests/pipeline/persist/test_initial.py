from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load, save

from pipeline.config import Config
from pipeline.persist.checkpoint import Checkpoint, CheckpointFolder, SavedPolicy
from pipeline.persist.initial import InitialPoliciesError, policies_of, read_initial
from pipeline.persist.manifest import CheckpointError
from pipeline.persist.runs import INITIAL, RunFolder, RunFolderError
from pipeline.policy.params import PLAIN, SHARED_POLICY
from pipeline.policy.store import PolicyStore

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


def run_with(log_dir: Path, policies: dict[int, dict[str, Tensor]], num_updates: int = 1, **options: Any) -> Path:
    """A run's folder with policies of so many updates."""
    folder = RunFolder.create(Config(log_dir=log_dir, run_name="source", **options))
    saved = tuple(SavedPolicy(workflow_id, num_updates, 32, tensors) for workflow_id, tensors in policies.items())
    CheckpointFolder(folder.path).write(Checkpoint({}, (None,), saved, 32, num_updates, {}))
    folder.close()
    return folder.path


def tensors(workflow_id: int = 3) -> dict[str, Tensor]:
    store = PolicyStore(0, "orthogonal", PLAIN)
    store.get_or_create(workflow_id, warm_start=False)
    return {name: tensor.clone() for name, tensor in store.tensors(workflow_id).items()}


def mistake(source: Path, **options: Any) -> str:
    with pytest.raises(InitialPoliciesError) as caught:
        policies_of(source, Config(**options), PLAIN)
    told = str(caught.value)
    assert told.startswith(f"--init-from {source}: ")
    return told.removeprefix(f"--init-from {source}: ")


def test_the_trained_policies_of_a_run_without_their_optimizer(tmp_path: Path) -> None:
    adam = {"adam.actor.step": torch.tensor(1.0)}
    source = run_with(tmp_path, {3: {**tensors(3), **adam}, 17: tensors(17)}, red_agent="SleepAgent", seed=9)
    initial = policies_of(source, Config(recipe="thorough", seed=2), PLAIN)
    assert {key: sorted(policy) for key, policy in initial.policies.items()} == {
        3: ["actor", "critic"],
        17: ["actor", "critic"],
    }
    assert torch.equal(initial.policies[17]["critic"], tensors(17)["critic"])
    assert initial.sha256 == hashlib.sha256(initial.content).hexdigest()
    assert policies_of(source / "checkpoint", Config(), PLAIN).content == initial.content
    assert policies_of(source, Config(init_from=source, init_sha256=initial.sha256), PLAIN).content == initial.content


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    source = run_with(tmp_path, {3: tensors()})
    assert mistake(source, actions="all", observation_memory=False) == (
        "its policies have other sizes: observation_memory is True there and False here, actions is merged there "
        "and all here"
    )
    assert mistake(source, policy="shared") == "it has a policy per workflow, and a shared one starts from a shared one"
    other = mistake(source, init_from=source, init_sha256="0" * 64)
    assert other.endswith(f"and this run is to start from {'0' * 64}")


def test_a_shared_policy_is_one_for_every_run(tmp_path: Path) -> None:
    source = run_with(tmp_path, {SHARED_POLICY: tensors(SHARED_POLICY)}, policy="shared")
    for options in ({"policy": "shared"}, {}):
        assert policies_of(source, Config(**options), PLAIN).policies.keys() == {SHARED_POLICY}  # type: ignore[arg-type]


def test_a_run_without_trained_policies(tmp_path: Path) -> None:
    assert mistake(run_with(tmp_path, {3: tensors()}, num_updates=0)).startswith("it has no trained policy yet")
    with pytest.raises(RunFolderError, match="is not the folder of a run"):
        policies_of(tmp_path / "none", Config(), PLAIN)


@pytest.mark.parametrize(
    "damage",
    [
        {"critic": None},
        {"actor": torch.zeros(5)},
        {"actor": torch.zeros(PLAIN.actor.num_values, dtype=torch.float64)},
        {"actor": torch.full((PLAIN.actor.num_values,), float("nan"))},
    ],
    ids=["missing", "short", "float64", "nan"],
)
def test_tensors_that_are_no_policys_are_refused(damage: dict[str, Any], tmp_path: Path) -> None:
    made = {name: tensor for name, tensor in {**tensors(), **damage}.items() if tensor is not None}
    told = mistake(run_with(tmp_path, {3: made}))
    assert told.startswith(("a policy lacks its", "003.actor is no policy's"))


def test_a_runs_own_copy(tmp_path: Path) -> None:
    initial = policies_of(run_with(tmp_path, {3: tensors()}), Config(), PLAIN)
    folder = RunFolder.create(Config(log_dir=tmp_path, run_name="new"), initial.content)
    folder.close()
    again = read_initial(folder.path, initial.sha256, PLAIN)
    assert (again.content, again.sha256) == (initial.content, initial.sha256)
    assert torch.equal(again.policies[3]["actor"], initial.policies[3]["actor"])


def test_a_copy_that_is_not_what_the_run_started_from(tmp_path: Path) -> None:
    content = policies_of(run_with(tmp_path, {3: tensors()}), Config(), PLAIN).content
    path, sha256 = tmp_path / INITIAL, hashlib.sha256(content).hexdigest()

    def refused(told: str, digest: str = sha256) -> None:
        with pytest.raises(CheckpointError, match=told):
            read_initial(tmp_path, digest, PLAIN)

    refused("can't read .*, which the run started from: No such file")
    path.write_bytes(content[:-1])
    refused("was altered or damaged")
    actor = tensors()["actor"]
    for other in (b"", b"not safetensors", save({"121.actor": actor}), save({"003.actor": actor}), save({"x": actor})):
        path.write_bytes(other)  # by somebody who knows how to make a checksum
        refused("can't read .*, which the run started from: ", hashlib.sha256(other).hexdigest())
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(content)
    path.symlink_to(tmp_path / "elsewhere")
    refused("can't read .*, which the run started from: ")
    assert load(content).keys() == {"003.actor", "003.critic"}
