from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipeline.cage2.facts.order_names import order_name
from pipeline.observe.csv_log import GP_SAMPLING_LOG
from pipeline.policy.params import SHARED_POLICY
from pipeline.reading.visits import EndedVisits
from pipeline.types import Estimate

if TYPE_CHECKING:
    from tests.pipeline.reading.conftest import Writer


def test_visits_are_read_as_they_end(writer: Writer) -> None:
    ended = EndedVisits(writer.run_dir)
    assert ended.refresh() is False
    assert ended.visits == []
    writer.update(7)
    writer.end(7, order_name(7), -20.5)
    writer.end(SHARED_POLICY, "all orders", -30.0, part="finals", compliance=0.5, reason="final")
    ended.refresh()
    first, second = ended.visits
    assert (first.workflow_id, first.part, first.reason, first.gp_updated) == (7, "search", "threshold", True)
    assert (first.num_episodes, first.total_episodes) == (64, 32)
    assert math.isnan(first.ucb_score)
    assert first.score.env_reward == Estimate(-20.5, 0.5)
    assert first.score.greedy_env_reward == Estimate(-19.5, 0.25)
    assert (second.workflow_id, second.part, second.gp_updated) == (SHARED_POLICY, "finals", False)


def test_lines_that_are_none_are_left_out_and_counted(writer: Writer) -> None:
    writer.update(7)
    writer.end(7, order_name(7), -20.5)
    path = writer.run_dir / GP_SAMPLING_LOG
    whole = path.read_text().splitlines()[1]
    strange = [
        whole.replace("-20.5000", "nan"),
        whole.replace(order_name(7), "<b>none</b>"),
        whole + ",1",
        '"',
        "",
    ]
    with path.open("a") as file:
        file.write("\n".join([*strange, whole]) + "\n")
    ended = EndedVisits(writer.run_dir)
    ended.refresh()
    assert [visit.workflow_id for visit in ended.visits if visit.score.greedy_compliance is not None] == [7, 7]
    assert ended.num_damaged == len(strange)


def test_what_is_no_longer_there_is_forgotten(writer: Writer) -> None:
    writer.end(7, order_name(7), -20.5)
    ended = EndedVisits(writer.run_dir)
    ended.refresh()
    path = writer.run_dir / GP_SAMPLING_LOG
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert ended.refresh() is True
    assert ended.visits == []
