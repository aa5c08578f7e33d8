from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.observe.logs import EVENT_LOG
from pipeline.reading.events import Events
from pipeline.types import EpisodesLost
from tests.pipeline.reading.conftest import BEGAN_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.pipeline.reading.conftest import Writer


def read(writer: Writer) -> Events:
    events = Events(writer.run_dir)
    events.refresh()
    return events


def test_the_clock_runs_while_the_run_goes_on(writer: Writer) -> None:
    writer.start()
    writer.update(3)
    writer.update(3)
    writer.now_s += 3600  # killed, and resumed an hour later
    writer.start(resumed=True)
    writer.update(3)
    events = read(writer)
    episodes, running_s = events.clock()
    assert episodes.tolist() == [32, 64, 96]
    assert running_s == pytest.approx([10, 20, 30])
    assert events.began_s == BEGAN_S
    assert [(mark.kind, mark.num, mark.episodes) for mark in events.marks] == [
        ("run_started", 0, 0),
        ("run_started", 1, 64),
    ]


def test_speed_is_of_the_process_that_goes_on(writer: Writer) -> None:
    writer.start()
    writer.update(3)
    assert read(writer).episodes_per_s(30) is None
    writer.update(3)
    assert read(writer).episodes_per_s(0) == pytest.approx(3.2)
    writer.start(resumed=True)
    assert read(writer).episodes_per_s(30) is None
    writer.update(3)
    writer.now_s += 10
    writer.update(3)
    writer.update(3)
    events = read(writer)
    assert events.episodes_per_s(1) == pytest.approx(3.2)
    assert events.episodes_per_s(1000) == pytest.approx(64 / 30)


def test_what_goes_wrong_is_marked(writer: Writer) -> None:
    writer.start()
    writer.update(3)
    writer.event(EpisodesLost(num_episodes=5, num_rebuilds=1))
    writer.event(EpisodesLost(num_episodes=2, num_rebuilds=2))
    events = read(writer)
    assert (events.num_replayed, events.num_rebuilds) == (7, 2)
    assert [(mark.kind, mark.num) for mark in events.marks][1:] == [("episodes_lost", 5), ("episodes_lost", 2)]
    assert events.marks[-1].running_s == pytest.approx(10)


def test_what_is_under_way_and_whether_it_has_ended(writer: Writer, finish: Callable[..., None]) -> None:
    writer.start()
    writer.begin(3, order_name(3), "finals")
    writer.begin(4, order_name(4))
    writer.end(4, order_name(4), -20.0)
    finish(digest="abc")
    events = read(writer)
    assert list(events.under_way) == [3]
    assert events.under_way[3]["part"] == "finals"
    assert events.finished is not None
    assert events.finished["digest"] == "abc"
    writer.start(resumed=True)
    events.refresh()
    assert events.finished is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "null",
        '{"event": "run_started"}',
        '{"event": "run_started", "timestamp": "yesterday", "resumed": false}',
        '{"event": "episodes_lost", "timestamp": "2026-11-27T21:00:00Z", "num_episodes": {}, "num_rebuilds": 1}',
        '{"event": {}, "timestamp": 3}',
        '{"total_episodes": 1, "event": "update_result"}',
        '{"total_episodes": 32, "event": "update_result", "timestamp": "2026-11-27T21:00:00Z"}',  # not more than before
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_event_is_left_out_and_counted(line: str, writer: Writer) -> None:
    writer.start()
    writer.update(3)
    with (writer.run_dir / EVENT_LOG).open("a") as file:
        file.write(line + "\n")
    writer.update(3)
    events = read(writer)
    assert events.num_damaged == 1
    assert events.clock()[0].tolist() == [32, 64]
