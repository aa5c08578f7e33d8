from __future__ import annotations

import dataclasses
import io
import json
import math
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from pipeline.observe import logs
from pipeline.observe.logs import EVENT_LOG, EventLog, LogLines, event_fields, event_name, json_lines
from pipeline.persist.files import WriteError
from pipeline.types import (
    Compiling,
    EpisodesCollected,
    Estimate,
    RunStarted,
    Score,
    WorkflowFinished,
    WorkflowResult,
    WorkflowStarted,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.types import Event, UpdateResult


def parse(line: str) -> dict[str, Any]:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    value = json.loads(line, parse_constant=refuse)
    assert isinstance(value, dict)
    return value


def test_every_event_but_progress_is_a_json_object_on_a_line(tmp_path: Path, events: list[Event]) -> None:
    log = EventLog(tmp_path)
    for event in events:
        log(event)
    lines = [parse(line) for line in (tmp_path / EVENT_LOG).read_text().splitlines()]  # while it is still open
    log.close()
    shown = [event for event in events if not isinstance(event, EpisodesCollected)]
    assert [line["event"] for line in lines] == [event_name(event) for event in shown]
    for line, event in zip(lines, shown, strict=True):
        assert line.pop("level") == "info"
        assert line.pop("timestamp").endswith("Z")
        assert line.pop("event")
        assert line == json.loads(json.dumps(event_fields(event)))
        assert not [value for value in line.values() if isinstance(value, dict)]


def test_names_and_fields(events: list[Event], update: UpdateResult, finished: WorkflowFinished) -> None:
    assert [event_name(event) for event in events] == [
        "run_started",
        "compiling",
        "workers_started",
        "workflow_started",
        "first_episode",
        "episodes_collected",
        "update_result",
        "episodes_lost",
        "checkpoint_written",
        "workflow_finished",
        "orders_evaluated",
        "run_finished",
    ]
    assert event_fields(events[-2]) == {
        "num_episodes": 20,
        "env_reward": [{"mean": -20.5, "stderr": 0.5}, {"mean": -30.25, "stderr": 1.5}],
        "compliance": [0.5, 1.0],
    }
    fields = event_fields(update)
    assert (fields["env_reward_mean"], fields["env_reward_stderr"]) == (-123.457, 4.5678)
    assert (fields["policy_loss"], fields["total_episodes"]) == (-0.0123457, 128)
    assert event_fields(finished) == {
        "iteration": 2,
        "workflow_order": "op_server -> defender -> enterprise -> op_host -> user",
        "ucb_score": -9.87654,
        "workflow_id": 57,
        "env_reward_mean": -20.2346,
        "env_reward_stderr": 0.98765,
        "compliance": 0.96,
        "num_episodes": 640,
        "reached_threshold": True,
        "reason": "threshold",
        "num_evaluated": 200,
        "greedy_env_reward_mean": -18.7654,
        "greedy_env_reward_stderr": 0.87654,
        "greedy_compliance": 0.98,
        "gp_updated": True,
        "part": "search",
        "best_workflow": "op_server -> defender -> enterprise -> op_host -> user",
        "best_num_evaluated": 200,
        "best_env_reward_mean": -20.2346,
        "best_env_reward_stderr": 0.98765,
        "best_compliance": 0.96,
        "best_greedy_env_reward_mean": -18.7654,
        "best_greedy_env_reward_stderr": 0.87654,
        "best_greedy_compliance": 0.98,
    }
    score = dataclasses.replace(finished.result.score, greedy_env_reward=None)
    without = dataclasses.replace(finished, result=dataclasses.replace(finished.result, score=score))
    assert event_fields(without) == event_fields(finished) | {
        "greedy_env_reward_mean": None,
        "greedy_env_reward_stderr": None,
    }
    assert event_fields(WorkflowStarted(0, 1, "", math.nan, resumed_policy=True, part="search"))["ucb_score"] is None


@given(st.floats(), st.floats(), st.floats(), st.text())
def test_no_number_and_no_text_breaks_a_line(mean: float, stderr: float, ucb: float, text: str) -> None:
    stream = io.StringIO()
    result = WorkflowResult(1, Score(9, Estimate(mean, stderr), 0.5), 8, reached_threshold=False, reason="cap")
    finished = WorkflowFinished(0, text, ucb, "search", result, gp_updated=False, best_workflow=None, best_score=None)
    LogLines(json_lines(stream))(finished)
    (line,) = stream.getvalue().splitlines()
    fields = parse(line)
    assert fields["workflow_order"] == text
    assert fields["env_reward_mean"] == (pytest.approx(mean, rel=1e-5) if math.isfinite(mean) else None)


def test_updates_may_be_thinned_out_and_nothing_else(update: UpdateResult, finished: WorkflowFinished) -> None:
    stream = io.StringIO()
    lines = LogLines(json_lines(stream), update_interval_s=1e9)
    for event in (update, update, finished, update, finished):
        lines(event)
    shown = [parse(line)["event"] for line in stream.getvalue().splitlines()]
    assert shown == ["update_result", "workflow_finished", "workflow_finished"]


def test_that_machine_code_is_made_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(logs, "time", SimpleNamespace(monotonic=lambda: now_s))
    stream = io.StringIO()
    lines = LogLines(json_lines(stream))
    for now_s in range(25):
        lines(Compiling(float(now_s), 20.0))
    assert [parse(line)["seconds"] for line in stream.getvalue().splitlines()] == [0, 10, 20]


def test_lines_go_to_where_stderr_is_now(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    LogLines(json_lines())(RunStarted("a", resumed=False))
    assert parse(capsys.readouterr().err)["run_dir"] == "a"
    elsewhere = io.StringIO()
    monkeypatch.setattr(sys, "stderr", elsewhere)
    LogLines(json_lines())(RunStarted("b", resumed=False))
    assert parse(elsewhere.getvalue())["run_dir"] == "b"
    assert capsys.readouterr().err == ""


def test_the_global_configuration_is_left_alone(tmp_path: Path, update: UpdateResult) -> None:
    log = EventLog(tmp_path)
    log(update)
    log.close()
    assert not structlog.is_configured()


def test_a_log_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / EVENT_LOG).symlink_to(tmp_path / "victim")
    for sizes in (None, {EVENT_LOG: 0}):
        with pytest.raises(WriteError, match="symbolic links"):
            EventLog(tmp_path, sizes)
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_log_that_the_checkpoint_knows_nothing_of_begins_empty(tmp_path: Path, update: UpdateResult) -> None:
    log = EventLog(tmp_path, {})
    log(update)
    log.close()
    assert len((tmp_path / EVENT_LOG).read_text().splitlines()) == 1


def test_resuming_cuts_off_what_came_after_the_checkpoint(tmp_path: Path, update: UpdateResult) -> None:
    log = EventLog(tmp_path)
    assert log.sizes() == {EVENT_LOG: 0}
    log(update)
    sizes = log.sizes()
    assert sizes == {EVENT_LOG: (tmp_path / EVENT_LOG).stat().st_size}
    log(dataclasses.replace(update, update=4))
    log.close()

    resumed = EventLog(tmp_path, sizes)
    assert resumed.sizes() == sizes
    resumed(dataclasses.replace(update, update=5))
    resumed.close()
    lines = (tmp_path / EVENT_LOG).read_text().splitlines()
    assert [parse(line)["update"] for line in lines] == [3, 5]
