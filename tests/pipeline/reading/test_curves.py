from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.observe.csv_log import GP_SAMPLING_LOG, TRAINING_LOG
from pipeline.reading.curves import Curves, updates_per_point
from pipeline.reading.visits import EndedVisits

if TYPE_CHECKING:
    from tests.pipeline.reading.conftest import Writer


def read(writer: Writer) -> Curves:
    curves = Curves(writer.run_dir, EndedVisits(writer.run_dir))
    curves.refresh()
    return curves


def told(curves: Curves) -> list[tuple[int, list[int], int | None]]:
    return [(visit.workflow_id, list(visit.rows), visit.ended) for visit in curves.visits]


def test_updates_belong_to_visits_that_overlap(writer: Writer) -> None:
    curves = read(writer)
    assert told(curves) == []
    writer.update(3)
    writer.update(5)
    writer.update(3)
    writer.end(3, order_name(3), -20.0)
    writer.update(5)
    curves.refresh()
    assert told(curves) == [(3, [0, 2], 0), (5, [1, 3], None)]
    writer.update(3)  # the same order once more: another visit
    writer.update(5)
    writer.end(5, order_name(5), -30.0)
    curves.refresh()
    assert told(curves) == [(3, [0, 2], 0), (5, [1, 3, 5], 1), (3, [4], None)]
    assert told(read(writer)) == told(curves)


def test_two_visits_of_one_order_that_were_written_between_two_looks(writer: Writer) -> None:
    curves = read(writer)
    for _ in range(2):
        writer.update(3)
        writer.update(3)
        writer.end(3, order_name(3), -20.0)
    curves.refresh()
    assert told(curves) == [(3, [0, 1], 0), (3, [2, 3], 1)]


def test_an_end_that_is_read_before_the_updates_that_lead_to_it(writer: Writer) -> None:
    writer.update(3)
    log = writer.run_dir / TRAINING_LOG
    early = log.read_bytes()
    writer.update(3)
    writer.end(3, order_name(3), -20.0)
    late = log.read_bytes()
    log.write_bytes(early)
    curves = read(writer)
    assert told(curves) == [(3, [0], None)]
    log.write_bytes(late)
    curves.refresh()
    assert told(curves) == [(3, [0, 1], 0)]


def test_a_run_that_is_resumed_loses_what_came_after_its_checkpoint(writer: Writer) -> None:
    writer.update(3)
    kept = [(writer.run_dir / name).read_bytes() for name in (TRAINING_LOG, GP_SAMPLING_LOG)]
    writer.update(3)
    writer.end(3, order_name(3), -20.0)
    curves = read(writer)
    for name, content in zip((TRAINING_LOG, GP_SAMPLING_LOG), kept, strict=True):
        (writer.run_dir / name).write_bytes(content)
    curves.refresh()
    assert told(curves) == [(3, [0], None)]
    assert curves.generation == 1


def test_a_point_is_a_mean_over_updates_with_its_standard_error(writer: Writer) -> None:
    rewards, stderrs = [-10.0, -20.0, -40.0], [1.0, 2.0, 3.0]
    for reward, stderr in zip(rewards, stderrs, strict=True):
        writer.update(3, reward, stderr, compliance=reward / -100)
    curves = read(writer)
    (visit,) = curves.visits
    all_points = curves.points(visit, 100)
    assert all_points is not None
    assert all_points.updates_per_point == 1
    assert all_points.columns["env_reward"].tolist() == rewards
    assert all_points.columns["env_reward_stderr"].tolist() == stderrs
    assert all_points.columns["visit_episodes"].tolist() == [32, 64, 96]
    points = curves.points(visit, 2)
    assert points is not None
    assert (points.updates_per_point, points.first) == (2, 0)
    assert points.columns["env_reward"].tolist() == [-15, -40]
    assert points.columns["compliance"] == pytest.approx([0.15, 0.4])
    assert points.columns["env_reward_stderr"] == pytest.approx([np.sqrt(1 + 4) / 2, 3])
    assert points.columns["total_episodes"].tolist() == [48, 96]
    assert points.columns["episodes"].tolist() == [64, 32]


def test_what_is_new_of_a_curve_completes_what_was_known(writer: Writer) -> None:
    curves = read(writer)
    known: dict[str, list[float]] = {}
    since = (0, 0)
    for number in range(40):
        writer.update(3, -float(number))
        if number % 3:
            continue
        curves.refresh()
        points = curves.points(curves.visits[0], 8, since)
        assert points is not None
        since = (points.updates_per_point, number + 1)
        known = {name: [*known.get(name, [])[: points.first], *new] for name, new in points.columns.items()}
        whole = curves.points(curves.visits[0], 8)
        assert whole is not None
        assert len(known["env_reward"]) <= 8
        for name, values in whole.columns.items():
            assert known[name] == pytest.approx(values.tolist())
        assert curves.points(curves.visits[0], 8, since) is None


@pytest.mark.parametrize(
    ("num", "most", "k"), [(0, 2, 1), (8, 8, 1), (9, 8, 2), (16, 8, 2), (17, 8, 4), (150_000, 2048, 128)]
)
def test_updates_per_point(num: int, most: int, k: int) -> None:
    assert updates_per_point(num, most) == k


def test_rows_of_no_workflow_are_left_out_and_counted(writer: Writer) -> None:
    writer.update(3)
    log = writer.run_dir / TRAINING_LOG
    row = log.read_text().splitlines()[1]
    with log.open("a") as file:
        for workflow_id in ("121", "-1", "nan", "inf", "3.5", "x"):
            file.write(row.replace("3,", f"{workflow_id},", 1) + "\n")
    curves = read(writer)
    assert told(curves) == [(3, [0], None)]
    assert curves.num_damaged == 6
