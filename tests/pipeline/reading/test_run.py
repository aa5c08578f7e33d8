from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.observe.csv_log import TRAINING_LOG
from pipeline.persist.runs import RunFolder
from pipeline.reading.run import PartProgress, Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.reading.conftest import Writer


def read(writer: Writer) -> Reading:
    reading = Reading(writer.run_dir)
    reading.refresh()
    return reading


def test_progress_by_part(writer: Writer) -> None:
    writer.start()
    writer.begin(3, order_name(3))
    writer.update(3)
    writer.update(3)
    writer.end(3, order_name(3), -20.0)
    writer.begin(3, order_name(3), "finals")
    writer.update(3)
    reading = read(writer)
    progress = reading.progress()
    assert progress.parts == (PartProgress("search", 64, 300), PartProgress("finals", 32, 700))
    assert (progress.episodes, progress.budget, progress.updates) == (96, 1000, 3)
    assert (progress.workers, progress.state, progress.left_s) == (2, "crashed", None)
    assert [reading.part_of(visit) for visit in reading.curves.visits] == ["search", "finals"]


def test_time_left_is_told_while_the_run_goes_on(writer: Writer) -> None:
    writer.start()
    writer.update(3)
    writer.update(3)
    folder = RunFolder(writer.run_dir)
    progress = read(writer).progress()
    folder.close()
    assert progress.state == "running"
    assert progress.episodes_per_s == pytest.approx(3.2)
    assert progress.left_s == pytest.approx((1000 - 64) / 3.2)
    assert progress.running_s == pytest.approx(20)


def test_where_the_seconds_go(writer: Writer, finish: Callable[..., None]) -> None:
    writer.start()
    assert read(writer).progress().seconds is None
    writer.update(3, collection_s=1.0, update_s=0.5)
    writer.update(3, collection_s=2.0, update_s=0.25)
    seconds = read(writer).progress().seconds
    assert seconds is not None
    assert seconds.by == {"collection": 3.0, "learner": 0.75}
    finish()
    (writer.run_dir / "summary.json").write_text(json.dumps({"seconds": {"collection": 5.0, "idle": 1.0}}))
    seconds = read(writer).progress().seconds
    assert seconds is not None
    assert seconds.by == {"collection": 5.0, "idle": 1.0}


def test_what_can_not_be_read_is_said_and_the_rest_is_told(writer: Writer) -> None:
    writer.start()
    writer.update(3)
    log = writer.run_dir / TRAINING_LOG
    with log.open("a") as file:
        file.write("<script>alert(1)</script>\n1,2\n")
    progress = read(writer).progress()
    assert progress.damaged_lines == {TRAINING_LOG: 2}
    log.rename(writer.run_dir.parent / "elsewhere")
    log.symlink_to(writer.run_dir.parent / "elsewhere")
    progress = read(writer).progress()
    assert list(progress.unreadable) == [TRAINING_LOG]
    assert (progress.updates, progress.running_s) == (0, pytest.approx(10))


def test_reading_changes_nothing(writer: Writer) -> None:
    writer.start()
    writer.update(3)
    writer.end(3, order_name(3), -20.0)

    def stamps() -> dict[str, tuple[int, int]]:
        return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in writer.run_dir.rglob("*")}

    before = stamps()
    reading = read(writer)
    reading.progress()
    reading.orders_after(1)
    assert reading.machine() is not None
    assert reading.faults() == ""
    assert stamps() == before


def test_maps_are_computed_once_and_only_of_visits_that_are_over(writer: Writer) -> None:
    writer.start()
    writer.end(3, order_name(3), -20.0)
    reading = read(writer)
    found = reading.orders_after(1)
    assert found is not None
    assert list(found.scores) == [3]
    assert reading.orders_after(1) is found
    with pytest.raises(ValueError, match="no 2 visits"):
        reading.orders_after(2)
    (writer.run_dir / "config.json").write_text("{")
    assert read(writer).orders_after(1) is None


def test_a_run_without_any_log_yet(writer: Writer) -> None:
    writer.close()
    for name in (TRAINING_LOG, "gp_sampling_log.csv"):
        (writer.run_dir / name).unlink()
    progress = read(writer).progress()
    assert (progress.updates, progress.episodes, progress.episodes_per_s, progress.unreadable) == (0, 0, None, {})
