from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.observe.csv_log import GP_SAMPLING_LOG, TRAINING_LOG
from pipeline.reading.run import Reading
from pipeline.types import EpisodesLost
from pipeline.watch import feed as feeds
from pipeline.watch.feed import Feed

if TYPE_CHECKING:
    from tests.pipeline.watch.conftest import Writer


class Client:
    """What the page does with what it is told (`static/run.js`)."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._feed = Feed(reading)
        self.visits: dict[int, dict[str, Any]] = {}
        self.curves: dict[int, dict[str, list[float]]] = {}
        self.timeline: dict[str, list[float]] = {}
        self.marks: list[dict[str, Any]] = []
        self.now: dict[str, Any] = {}

    def look(self) -> dict[str, Any] | None:
        self._reading.refresh()
        news = self._feed.news()
        if news is None:
            return None
        if news["reset"]:
            self.visits, self.curves, self.timeline = {}, {}, {}
        self.visits |= {visit["index"]: visit for visit in news.get("visits", [])}
        for curve in news.get("curves", []):
            self.curves[curve["visit"]] = _joined(self.curves.get(curve["visit"], {}), curve)
        for index in [index for index in self.visits if index < news["first_visit"]]:
            del self.visits[index], self.curves[index]
        if "timeline" in news:
            self.timeline = _joined(self.timeline, news["timeline"])
        self.marks = news.get("marks", self.marks)
        self.now = news.get("now", self.now)
        return news


def _joined(known: dict[str, list[float]], new: dict[str, Any]) -> dict[str, list[float]]:
    first = new["first"]
    return {name: [*known.get(name, [])[:first], *values.tolist()] for name, values in new["columns"].items()}


@pytest.fixture
def client(writer: Writer) -> Client:
    return Client(Reading(writer.run_dir))


def same(one: Client, other: Client) -> None:
    assert one.visits == other.visits
    assert one.curves.keys() == other.curves.keys()
    for index, columns in one.curves.items():
        for name, values in columns.items():
            assert values == pytest.approx(other.curves[index][name], nan_ok=True)
    assert one.timeline == other.timeline
    assert one.marks == other.marks
    assert {**one.now, "last_s": 0} == {**other.now, "last_s": 0}


def test_whoever_looks_all_along_knows_what_somebody_who_comes_late_is_told(writer: Writer, client: Client) -> None:
    writer.start()
    for workflow_id in range(5):
        writer.begin(workflow_id, order_name(workflow_id))
        for _ in range(workflow_id + 2):
            writer.update(workflow_id)
            client.look()
        writer.end(workflow_id, order_name(workflow_id), -20.0)
    writer.event(EpisodesLost(3, 1))
    client.look()
    late = Client(Reading(writer.run_dir))
    late.look()
    same(client, late)
    assert client.timeline["episodes"] == [32.0 * number for number in range(1, 21)]
    assert client.curves[1]["running_s"] == pytest.approx([30, 40, 50])


def test_if_nothing_happens_nothing_is_told(writer: Writer, client: Client) -> None:
    writer.start()
    writer.update(3)
    assert client.look() is not None
    assert client.look() is None


def test_only_what_is_new_is_told(writer: Writer, client: Client) -> None:
    writer.start()
    for _ in range(10):
        writer.update(3)
    client.look()
    writer.update(3)
    news = client.look()
    assert news is not None
    assert not news["reset"]
    assert "visits" not in news
    assert "marks" not in news
    assert [(each["first"], len(each["columns"]["update"])) for each in news["curves"]] == [(10, 1)]
    assert news["timeline"]["first"] == 10


def test_a_run_that_was_cut_back_is_told_anew(writer: Writer, client: Client) -> None:
    writer.start()
    writer.update(3)
    kept = (writer.run_dir / TRAINING_LOG).read_bytes()
    writer.update(3)
    client.look()
    (writer.run_dir / TRAINING_LOG).write_bytes(kept)
    news = client.look()
    assert news is not None
    assert news["reset"]
    assert client.curves[0]["update"] == [0]


def test_a_run_of_very_many_visits_is_told_by_its_latest(writer: Writer, client: Client) -> None:
    writer.start()
    writer.update(0)
    log, ends = writer.run_dir / TRAINING_LOG, writer.run_dir / GP_SAMPLING_LOG
    writer.end(0, order_name(0), -20.0)
    row, end = log.read_text().splitlines()[1], ends.read_text().splitlines()[1]
    assert (row.split(",")[12], end.split(",")[10]) == ("32", "32")
    num = 20_000
    with log.open("a") as file, ends.open("a") as ends_file:
        for total in range(33, 33 + num):
            fields, end_fields = row.split(","), end.split(",")
            fields[12] = end_fields[10] = str(total)
            file.write(",".join(fields) + "\n")
            ends_file.write(",".join(end_fields) + "\n")
    news = client.look()
    assert news is not None
    assert news["num_visits"] == num + 1
    assert len(client.visits) == len(client.curves) == feeds.MOST_VISITS
    assert max(client.visits) == num


def test_a_client_knows_so_much_and_no_more(writer: Writer, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_VISITS", 4)
    monkeypatch.setattr(feeds, "MOST_POINTS", 32)
    monkeypatch.setattr(feeds, "MOST_POINTS_OF_CURVE", 16)
    writer.start()
    for workflow_id in range(12):
        for _ in range(20):
            writer.update(workflow_id)
            client.look()
            assert len(client.curves) <= 4
            assert sum(len(columns["update"]) for columns in client.curves.values()) <= 32
            assert len(client.timeline["episodes"]) <= 16
        writer.end(workflow_id, order_name(workflow_id), -20.0)
    client.look()
    assert list(client.visits) == list(client.curves) == [8, 9, 10, 11]
    late = Client(Reading(writer.run_dir))
    late.look()
    same(client, late)
    assert client.timeline["episodes"][-1] == 12 * 20 * 32
