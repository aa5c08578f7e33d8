from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pipeline import Config
from pipeline.observe.logs import EVENT_LOG
from pipeline.observe.run_logs import RunLogs
from pipeline.persist.checkpoint import Checkpoint, CheckpointFolder
from pipeline.persist.files import WriteError
from pipeline.persist.runs import RunFolder
from pipeline.run import checkpoint_writer as module
from pipeline.run.checkpoint_writer import CheckpointWriter
from pipeline.types import CheckpointWritten, RunStarted
from pipeline.workflows.search import Search

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.types import Event

SEARCH = Search(seed=0, beta=2.0, max_episodes_per_workflow=1000)


def state(total_episodes: int) -> Checkpoint:
    return Checkpoint(SEARCH.state(), (None,), (), total_episodes, 0, {})


class Scene:
    """A run's folder, its logs and who writes its checkpoints, every 10 seconds by a clock that the test moves."""

    def __init__(self, run_dir: Path, thread: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        self.thread = thread
        self.folder = CheckpointFolder(run_dir)
        self.logs = RunLogs(Config(), run_dir, None, thread)
        self.events: list[Event] = []
        self.writer = CheckpointWriter(self.folder, self.logs, thread, interval_s=10.0, emit=self.events.append)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    run = RunFolder.create(Config(log_dir=tmp_path, run_name="run"))
    with ThreadPoolExecutor(1) as thread:
        scene = Scene(run.path, thread, monkeypatch)
        yield scene
        scene.logs.close()
    run.close()


async def test_a_checkpoint_is_written_when_it_is_due(scene: Scene) -> None:
    for scene.now_s in (100.0, 109.0, 110.0, 119.0, 120.5):
        await scene.writer.write_if_due(state(int(scene.now_s)))
    assert scene.events == [CheckpointWritten(str(scene.folder.path), number) for number in (110, 120)]
    assert scene.folder.read() == state(120)


async def test_one_that_is_asked_for_is_always_written(scene: Scene) -> None:
    await scene.writer.write(state(1))
    assert scene.folder.read() == state(1)
    scene.now_s += 9.0
    await scene.writer.write_if_due(state(2))
    assert scene.folder.read() == state(1)
    await scene.writer.write(state(3))
    assert scene.folder.read() == state(3)
    assert [event.total_episodes for event in scene.events if isinstance(event, CheckpointWritten)] == [1, 3]


async def test_none_is_written_that_would_promise_lines_that_are_missing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    await scene.writer.write(state(1))
    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        scene.logs(RunStarted("run", resumed=False))
        scene.thread.submit(int).result()  # the line has been tried
    with pytest.raises(WriteError, match=EVENT_LOG):
        await scene.writer.write(state(2))
    assert scene.folder.read() == state(1)
    assert len(scene.events) == 1
