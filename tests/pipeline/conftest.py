"""A run's folder as training leaves it, without the training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from pipeline.config import Config
from pipeline.persist.checkpoint import Checkpoint, CheckpointFolder, SavedPolicy
from pipeline.persist.runs import RunFolder
from pipeline.policy.params import PolicyShape
from pipeline.policy.store import SHARED_POLICY, PolicyStore
from pipeline.types import Estimate, WorkflowResult
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class MakeRun(Protocol):
    def __call__(
        self, policies: Mapping[int, int], best: int | None = None, *, name: str = "run", profile: str = "head"
    ) -> Path: ...


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Return what makes a run's folder: with fresh policies, of so many episodes each, one of them the best or none."""

    def make(policies: Mapping[int, int], best: int | None = None, *, name: str = "run", profile: str = "head") -> Path:
        config = Config(log_dir=tmp_path, run_name=name, profile=profile)  # type: ignore[arg-type]  # checked there
        folder = RunFolder.create(config)
        store = PolicyStore(0, "uniform", PolicyShape())  # which has likely actions, as trained ones have
        search = Search(seed=0, beta=2.0, max_episodes_per_workflow=10_000)
        for workflow_id in policies:
            store.get_or_create(workflow_id, warm_start=False)
        visited = {best: 0} if SHARED_POLICY in policies and best is not None else dict(policies)
        visited.pop(SHARED_POLICY, None)  # which is no order
        for workflow_id, num_episodes in visited.items():
            reached = workflow_id == best
            reason = "threshold" if reached else "cap"
            search.finish(WorkflowResult(workflow_id, Estimate(-12.3, 0.4), 0.97, num_episodes, reached, reason))
        saved = (SavedPolicy(key, 0, number, store.tensors(key)) for key, number in policies.items())
        CheckpointFolder(folder.path).write(Checkpoint(search.state(), None, (), tuple(saved), 0, 0, {}))
        folder.close()
        return folder.path

    return make
