from __future__ import annotations

import contextlib
import dataclasses
import json
import operator
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.errors import SetupError
from pipeline.persist.checkpoint import CheckpointFolder, SavedVisit
from pipeline.persist.manifest import CheckpointError
from pipeline.persist.runs import RunFolder, RunFolderError
from pipeline.ppo.recipe import DEFAULT
from pipeline.run.parts import WORKER_FAULTS, assemble
from pipeline.types import RunStarted

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import MakeConfig

THREADS = {f"cage2-{name}" for name in ("critic", "disk", "learner", "search")}


async def test_all_parts_are_taken_apart_again(make_config: MakeConfig) -> None:
    """What would be left in shared memory, conftest looks for."""
    async with contextlib.AsyncExitStack() as stack:
        parts = await assemble(make_config(), DEFAULT, None, stack)
        parts.disk_thread.submit(int).result()
        assert parts.ring.num_free == parts.ring.num_slots
        with pytest.raises(RunFolderError, match="still alive"):
            RunFolder(parts.folder.path)
    RunFolder(parts.folder.path).close()
    assert not [each.name for each in threading.enumerate() if each.name.rpartition("_")[0] in THREADS]


async def test_the_learners_threads_alone_take_subnormal_numbers_for_0(make_config: MakeConfig) -> None:
    async with contextlib.AsyncExitStack() as stack:
        parts = await assemble(make_config(), DEFAULT, None, stack)
        threads, training = parts.places[0].learner._threads, parts.training
        halves = [
            thread.submit(operator.truediv, sys.float_info.min, 2).result()
            for thread in (threads.updates, threads._critics, training._search_thread, parts.disk_thread)
        ]
    assert halves[:2] == [0, 0]
    assert min(*halves[2:], sys.float_info.min / 2) > 0
    assert not [each.name for each in threading.enumerate() if each.name.rpartition("_")[0] in THREADS]


async def test_places_share_workers_and_threads_and_have_weights_of_their_own(make_config: MakeConfig) -> None:
    async with contextlib.AsyncExitStack() as stack:
        parts = await assemble(make_config(concurrent_visits=3, policy_lag=2), DEFAULT, None, stack)
        learners = [place.learner for place in parts.places]
        (threads,) = {learner._threads for learner in learners}
        assert threads is learners[0]._threads
        board = learners[0]._publish.func.__self__  # type: ignore[attr-defined]
        weights = np.zeros(board._values.shape[1], np.float32)
        first = learners[0]._publish(weights)
        for learner in learners[1:]:
            for _ in range(20):
                learner._publish(weights)
        assert first in board.versions()
        assert board.statistics().num_slabs == 3 * 5


@pytest.mark.parametrize("content", ["", "Fatal Python error"])
async def test_what_workers_wrote_when_they_crashed_is_kept(content: str, make_config: MakeConfig) -> None:
    async with contextlib.AsyncExitStack() as stack:
        parts = await assemble(make_config(), DEFAULT, None, stack)
        (parts.folder.path / WORKER_FAULTS).write_text(content)
    assert (parts.folder.path / WORKER_FAULTS).exists() == bool(content)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"engine": "cyborg"}, "playing on CybORG needs csle_cyborg: pip install"),
        ({"tensorboard": True}, "--tensorboard needs tensorboard: pip install"),
        ({"wandb": True}, "--wandb needs wandb: pip install"),
        ({"mlflow": True}, "--mlflow needs mlflow: pip install"),
        ({"collector": "ray"}, "--collector ray needs ray: pip install"),
        ({"device": "cuda"}, "--device cuda: "),
    ],
    ids=str,
)
async def test_what_is_missing_is_told_before_anything_is_written(
    options: dict[str, Any], told: str, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("csle_cyborg", "tensorboard", "wandb", "mlflow", "ray"):
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    config = make_config(log_dir=tmp_path / "logs", **options)
    async with contextlib.AsyncExitStack() as stack:
        with pytest.raises(SetupError, match=told):
            await assemble(config, DEFAULT, None, stack)
    assert not (tmp_path / "logs").exists()


async def test_logs_are_told_of_an_event_before_listeners(make_config: MakeConfig) -> None:
    async with contextlib.AsyncExitStack() as stack:
        parts = await assemble(make_config(), DEFAULT, None, stack)
        events = parts.feed.listen()
        parts.emit(RunStarted("run", resumed=False))
        parts.feed.close()
        assert [event async for event in events] == [RunStarted("run", resumed=False)]
    (line,) = (parts.folder.path / "events.jsonl").read_text().splitlines()
    assert json.loads(line)["event"] == "run_started"


async def test_a_new_run_has_tried_nothing(make_config: MakeConfig) -> None:
    async with contextlib.AsyncExitStack() as stack:
        parts = await assemble(make_config(), DEFAULT, None, stack)
        state = parts.training.state
    assert (state.total_episodes, state.total_updates, state.visits, state.policies) == (0, 0, (None,), ())
    assert state.search["observations"] == []


VISIT = SavedVisit({"unknown": 1, "workflow_id": 3, "first_update": 0, "num_updates": 1}, ())


@pytest.mark.parametrize("change", [{"search": {"unknown": 1}}, {"visits": (VISIT,)}], ids=["search", "visit"])
async def test_a_state_that_can_not_be_is_refused(change: dict[str, Any], make_config: MakeConfig) -> None:
    """A checkpoint that is whole, and was not written by this version."""
    config = make_config()
    async with contextlib.AsyncExitStack() as stack:
        parts = await assemble(config, DEFAULT, None, stack)
        state = parts.training.state
    path = parts.folder.path
    CheckpointFolder(path).write(dataclasses.replace(state, **change))
    async with contextlib.AsyncExitStack() as stack:
        with pytest.raises(CheckpointError, match="holds a state that can't be"):
            await assemble(config, DEFAULT, path, stack)
    RunFolder(path).close()  # it was let go of
