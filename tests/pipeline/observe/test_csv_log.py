from __future__ import annotations

import csv
import dataclasses
import math
import os
from typing import TYPE_CHECKING

import pytest

from pipeline.observe.csv_log import GP_SAMPLING_LOG, TRAINING_LOG, CsvLog
from pipeline.persist.files import WriteError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.types import Event, UpdateResult, WorkflowFinished, WorkflowResult


def lines(path: Path) -> list[str]:
    text = path.read_bytes().decode()
    assert text.endswith("\n")
    assert "\r" not in text
    assert "\0" not in text
    return text.splitlines()


def sampled_alone(finished: WorkflowFinished) -> WorkflowResult:
    score = dataclasses.replace(finished.result.score, greedy_env_reward=None, greedy_compliance=None)
    return dataclasses.replace(finished.result, score=score)


def test_the_columns_begin_as_users_know_them(tmp_path: Path) -> None:
    CsvLog(tmp_path).close()
    training, sampling = lines(tmp_path / "training_log.csv"), lines(tmp_path / "gp_sampling_log.csv")
    assert len(training) == len(sampling) == 1
    assert training[0].startswith(
        "Workflow_ID,Workflow_Order,Update,Episodes,Env_Reward,Alignment_Bonus,Total_Reward,Compliance,Avg_Fixes,"
        "Collection_Time,Update_Time"
    )
    assert sampling[0].startswith("Iteration,Workflow,UCB_Score,Reward,Final_Compliance,Episodes_Trained,GP_Updated")


def test_an_update_is_a_line(tmp_path: Path, update: UpdateResult) -> None:
    log = CsvLog(tmp_path)
    log(update)
    header, line = lines(tmp_path / TRAINING_LOG)  # before it is closed: a run is watched while it goes on
    log.close()
    assert line == (
        "57,op_server -> defender -> enterprise -> op_host -> user,3,32,-123.4568,12.3457,-111.1111,0.4115,17.13,"
        "1.235,0.346,4.5678,128,-0.012346,1.500000,4.9766,0.001234,0.0625,4,0.00097"
    )
    assert line.count(",") == header.count(",")
    assert line.split(",")[7] == "0.4115"  # what `cut -d, -f8` prints is compliance


def test_a_pick_of_the_search_is_a_line(tmp_path: Path, update: UpdateResult, finished: WorkflowFinished) -> None:
    log = CsvLog(tmp_path, total_episodes=96)
    log(finished)
    log(update)
    log(dataclasses.replace(finished, ucb_score=math.nan, gp_updated=False, result=sampled_alone(finished)))
    log.close()
    header, first, second = lines(tmp_path / GP_SAMPLING_LOG)
    order = "op_server -> defender -> enterprise -> op_host -> user"
    assert first == f"2,{order},-9.8765,-20.2346,0.9600,640,True,0.9877,threshold,search,96,200,-18.7654,0.8765,0.9800"
    assert second == f"2,{order},,-20.2346,0.9600,640,False,0.9877,threshold,search,128,200,,,"
    assert first.count(",") == header.count(",")


def test_other_events_write_nothing(tmp_path: Path, events: list[Event]) -> None:
    log = CsvLog(tmp_path)
    for event in events:
        log(event)
    log.close()
    assert len(lines(tmp_path / TRAINING_LOG)) == len(lines(tmp_path / GP_SAMPLING_LOG)) == 2


def write(log: CsvLog, update: UpdateResult, finished: WorkflowFinished, numbers: range) -> None:
    for number in numbers:
        log(dataclasses.replace(update, update=number))
        log(dataclasses.replace(finished, iteration=number))


def numbers(path: Path, column: str) -> list[int]:
    return [int(row[column]) for row in csv.DictReader(lines(path))]


def test_resuming_cuts_off_what_came_after_the_checkpoint(
    tmp_path: Path, update: UpdateResult, finished: WorkflowFinished
) -> None:
    log = CsvLog(tmp_path)
    write(log, update, finished, range(3))
    sizes = log.sizes()
    assert sizes == {name: (tmp_path / name).stat().st_size for name in (TRAINING_LOG, GP_SAMPLING_LOG)}
    write(log, update, finished, range(3, 5))
    log.close()

    resumed = CsvLog(tmp_path, sizes)
    assert resumed.sizes() == sizes
    write(resumed, update, finished, range(3, 4))
    assert resumed.sizes() == {name: (tmp_path / name).stat().st_size for name in sizes}
    resumed.close()
    assert numbers(tmp_path / TRAINING_LOG, "Update") == [0, 1, 2, 3]
    assert numbers(tmp_path / GP_SAMPLING_LOG, "Iteration") == [0, 1, 2, 3]


@pytest.mark.parametrize(("lost_bytes", "kept"), [(1, [0, 1]), (10, [0, 1]), (10_000, []), (None, [])])
def test_a_log_that_lost_lines_is_gone_on_with(
    tmp_path: Path, update: UpdateResult, finished: WorkflowFinished, lost_bytes: int | None, kept: list[int]
) -> None:
    log = CsvLog(tmp_path)
    write(log, update, finished, range(3))
    sizes = log.sizes()
    log.close()
    path = tmp_path / TRAINING_LOG
    if lost_bytes is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-lost_bytes])

    resumed = CsvLog(tmp_path, sizes)
    write(resumed, update, finished, range(3, 4))
    resumed.close()
    assert numbers(path, "Update") == [*kept, 3]


@pytest.mark.parametrize("name", [TRAINING_LOG, GP_SAMPLING_LOG])
def test_a_log_that_can_not_be_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    num_open = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # descriptors, not files
    with pytest.raises(WriteError, match=f"can't write .*{name}: Is a directory"):
        CsvLog(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == num_open  # noqa: PTH208


def test_no_cell_is_a_formula(tmp_path: Path, update: UpdateResult, finished: WorkflowFinished) -> None:
    """Whoever opens a log in a spreadsheet runs nothing: texts are the program's own, the rest are numbers."""
    log = CsvLog(tmp_path)
    write(log, update, finished, range(1))
    log.close()
    for name in (TRAINING_LOG, GP_SAMPLING_LOG):
        for cell in (cell for row in csv.reader(lines(tmp_path / name)) for cell in row):
            assert not cell.startswith(("=", "+", "@", "\t")), cell
            assert not cell.startswith("-") or math.isfinite(float(cell))


def test_a_run_that_begins_again_has_empty_logs(
    tmp_path: Path, update: UpdateResult, finished: WorkflowFinished
) -> None:
    log = CsvLog(tmp_path)
    write(log, update, finished, range(3))
    log.close()
    CsvLog(tmp_path).close()  # resumed before its first checkpoint
    assert len(lines(tmp_path / TRAINING_LOG)) == len(lines(tmp_path / GP_SAMPLING_LOG)) == 1
