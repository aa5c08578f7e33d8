from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from pipeline.observe.tensorboard import TensorBoardLog, TensorBoardMissingError, require_tensorboard

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.types import Event


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    with pytest.raises(TensorBoardMissingError, match=r"pip install '\.\[tensorboard\]'"):
        require_tensorboard()


def scalars(run_dir: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(run_dir / "tensorboard"))
    accumulator.Reload()
    return {
        tag: [(point.step, point.value) for point in accumulator.Scalars(tag)] for tag in accumulator.Tags()["scalars"]
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own
def test_updates_and_workflows_are_plotted_by_the_runs_episodes(tmp_path: Path, events: list[Event]) -> None:
    pytest.importorskip("tensorboard")
    require_tensorboard()
    log = TensorBoardLog(tmp_path)
    for event in events:
        log(event)
    log.close()
    plotted = scalars(tmp_path)
    assert plotted["episode/compliance"] == [(128, pytest.approx(0.41152))]
    assert plotted["episode/env_reward"] == [(128, pytest.approx(-123.456789))]
    assert plotted["search/env_reward"] == [(128, pytest.approx(-20.23456))]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own
def test_nobody_waits_for_a_disk_but_the_thread_that_writes(tmp_path: Path, events: list[Event]) -> None:
    pytest.importorskip("tensorboard")
    disk_answers = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        log = TensorBoardLog(tmp_path, thread=thread)
        thread.submit(disk_answers.wait)
        for event in events * 50:  # more than TensorBoard's own queue holds
            log(event)
        assert thread._work_queue.qsize() >= 50, "nothing is written yet"
        disk_answers.set()
        log.close()
    assert len(scalars(tmp_path)["episode/compliance"]) == 50


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own
def test_resuming_hides_what_came_after_the_checkpoint(tmp_path: Path, events: list[Event]) -> None:
    pytest.importorskip("tensorboard")
    import dataclasses

    from pipeline.types import UpdateResult

    (update,) = (event for event in events if isinstance(event, UpdateResult))
    log = TensorBoardLog(tmp_path)
    for total in (32, 64, 96):
        log(dataclasses.replace(update, total_episodes=total))
    log.close()
    resumed = TensorBoardLog(tmp_path, total_episodes=64)
    resumed(dataclasses.replace(update, total_episodes=80))
    resumed.close()
    assert [step for step, _ in scalars(tmp_path)["episode/compliance"]] == [32, 64, 80]
