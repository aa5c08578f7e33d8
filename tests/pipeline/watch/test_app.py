from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.observe.logs import EVENT_LOG
from pipeline.reading.run import Reading
from pipeline.watch import app as apps
from pipeline.watch.app import STATIC, news

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from tests.pipeline.watch.conftest import Writer


def test_the_page_and_all_that_it_loads_are_in_the_package(client: TestClient) -> None:
    assert "<main" in client.get("/").text
    for path in STATIC.rglob("*"):
        if path.is_file():
            assert client.get(f"/static/{path.relative_to(STATIC)}").status_code == 200
    assert (STATIC / "uplot" / "LICENSE").is_file()


def test_no_page_is_made_of_text(client: TestClient) -> None:
    """Markup in a run's files stays text: nothing sets any."""
    ways = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "//")
    for path in STATIC.glob("*.js"):
        source = path.read_text()
        code = re.sub(r"(^|\s)//.*|/\*.*?\*/|http://www.w3.org/2000/svg", "", source)
        assert not [way for way in ways if way in code], path.name


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/", "/static/none.js"]
)
def test_nothing_else_of_the_package_is_served(path: str, client: TestClient) -> None:
    assert client.get(path).status_code == 404


def test_all_runs_are_listed(client: TestClient, writer: Writer) -> None:
    assert client.get("/api/runs").json()[0]["state"] == "crashed"
    writer.start()
    writer.update(3)
    (row,) = client.get("/api/runs").json()
    assert (row["name"], row["episodes"], row["budget"], row["seed"]) == ("run", 32, 1000, "0")


def test_what_a_run_is(client: TestClient, writer: Writer) -> None:
    (writer.run_dir / "worker_faults.log").write_text("Fatal Python error <b>")
    details = client.get("/api/runs/run").json()
    assert details["folder"] == str(writer.run_dir)
    assert {"name": "workers", "value": "2", "topic": "where it runs", "decides_results": False} in details[
        "configuration"
    ]
    assert details["machine"]["num_cores"] >= 1
    assert details["faults"] == "Fatal Python error <b>"
    assert details["found"] is None


@pytest.mark.parametrize("path", ["", "/snapshot", "/news", "/orders/1"])
@pytest.mark.parametrize("name", ["none", "..", "%2e%2e", "..%2f..%2fetc", "link", "%00"])
def test_a_run_that_is_none_is_not_found(name: str, path: str, client: TestClient, writer: Writer) -> None:
    writer.run_dir.with_name("link").symlink_to(writer.run_dir)
    assert client.get(f"/api/runs/{name}{path}").status_code == 404


def test_a_snapshot_is_all_that_is_told_first(client: TestClient, writer: Writer) -> None:
    writer.start()
    writer.update(3)
    told = client.get("/api/runs/run/snapshot").json()
    assert told["reset"] is True
    assert told["curves"][0]["columns"]["update"] == [0]
    assert told["now"]["episodes"] == 32


def test_the_map_of_orders(client: TestClient, writer: Writer) -> None:
    writer.start()
    writer.update(3)
    writer.end(3, order_name(3), -20.0)
    found = client.get("/api/runs/run/orders/1").json()
    assert (found["best"], found["num_observed"], len(found["orders"])) == (3, 1, 120)
    assert found["orders"][3]["score"]["mean"] == -20
    assert client.get("/api/runs/run/orders/2").status_code == 404
    assert client.get("/api/runs/run/orders/-1").status_code == 404
    (writer.run_dir / "config.json").write_text("{")
    assert client.get("/api/runs/run/orders/1").json() is None


def test_few_runs_are_kept_in_memory(client: TestClient, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "MOST_READINGS", 1)
    other = writer.run_dir.with_name("other")
    other.mkdir()
    (other / "config.json").write_bytes((writer.run_dir / "config.json").read_bytes())
    for name in ("run", "other", "run"):
        assert client.get(f"/api/runs/{name}").json()["name"] == name


async def test_news_come_as_they_are_written(writer: Writer) -> None:
    writer.start()
    listening = news(Reading(writer.run_dir), interval_s=0.01, is_ending=lambda: False)
    first = json.loads((await anext(listening)).removeprefix("data: "))
    assert first["reset"] is True
    following = asyncio.ensure_future(anext(listening))
    await asyncio.sleep(0.05)
    assert not following.done()
    writer.update(3)
    second = json.loads((await asyncio.wait_for(following, 60)).removeprefix("data: "))
    assert second["now"]["episodes"] == 32
    await listening.aclose()  # type: ignore[attr-defined]


def test_markup_in_a_runs_files_is_sent_as_the_text_that_it_is(client: TestClient, writer: Writer) -> None:
    hostile = '<img src=x onerror="alert(1)">'
    writer.start()
    writer.begin(3, hostile)
    config = json.loads((writer.run_dir / "config.json").read_text())
    (writer.run_dir / "config.json").write_text(json.dumps({**config, hostile: hostile}))
    event = {"event": "run_finished", "reason": hostile, "best_workflow": hostile, "timestamp": "2026-11-27T21:00:00Z"}
    with (writer.run_dir / EVENT_LOG).open("a") as file:
        file.write(json.dumps(event) + "\n")
    for path in ("/api/runs", "/api/runs/run", "/api/runs/run/snapshot"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        answer.json()
