from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.config import Config
from pipeline.observe.csv_log import GP_SAMPLING_LOG, TRAINING_LOG
from pipeline.observe.logs import EVENT_LOG
from pipeline.observe.run_logs import RunLogs
from pipeline.persist.checkpoint import Checkpoint
from pipeline.persist.files import WriteError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.types import Event

START = Checkpoint(
    search={},
    visits=(None,),
    policies=(),
    total_episodes=0,
    total_updates=0,
    log_sizes={},
)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def test_every_event_is_recorded_and_resuming_cuts_off_what_came_later(
    tmp_path: Path, thread: ThreadPoolExecutor, events: list[Event]
) -> None:
    logs = RunLogs(Config(), tmp_path, None, thread)
    for event in events:
        logs(event)
    sizes = logs.sizes()
    for event in events:
        logs(event)
    logs.check()
    logs.close()
    assert sizes.keys() == {TRAINING_LOG, GP_SAMPLING_LOG, EVENT_LOG}
    assert all((tmp_path / name).stat().st_size > size > 0 for name, size in sizes.items())

    RunLogs(Config(), tmp_path, replace(START, log_sizes=sizes), thread).close()
    assert {name: (tmp_path / name).stat().st_size for name in sizes} == sizes


def test_a_line_that_could_not_be_written_is_told(
    tmp_path: Path, thread: ThreadPoolExecutor, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = RunLogs(Config(), tmp_path, None, thread)
    thread.submit(int).result()

    def full(file: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", full)
    logs(events[0])
    thread.submit(int).result()
    monkeypatch.undo()
    with pytest.raises(WriteError, match=EVENT_LOG):
        logs.check()
    logs.close()
