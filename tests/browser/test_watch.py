"""`run.py watch` in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from pipeline.cage2.facts.order_names import order_name
from pipeline.reading.folders import RunFolders
from pipeline.types import EpisodesLost
from pipeline.watch.listener import Listener
from pipeline.watch.server import Server
from tests.colours.sight import contrast

expect = pytest.importorskip("playwright.sync_api", reason="playwright, which drives a browser, is missing").expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from playwright.sync_api import Page

    from tests.browser.conftest import OpenTab, Writer
    from tests.pipeline.conftest import MakeRun

ROOT = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=alert(1)>"


class OpenPage(Protocol):
    def __call__(self, view: str, *, width: int = 1400, dark: bool = False) -> AbstractContextManager[Page]: ...


@pytest.fixture
def open_page(tmp_path: Path, open_tab: OpenTab) -> Iterator[OpenPage]:
    """Return what opens a view of the page over `tmp_path`."""
    listener = Listener.open()
    server = Server(RunFolders(tmp_path), listener)
    thread = threading.Thread(target=server.serve)
    thread.start()

    def open_one(view: str, *, width: int = 1400, dark: bool = False) -> AbstractContextManager[Page]:
        return open_tab(f"{listener.address}#{view}", width=width, dark=dark)

    yield open_one
    server.stop()
    thread.join(timeout=30)
    assert not thread.is_alive()


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "run.py"), *arguments, "--quiet"], cwd=ROOT, stderr=subprocess.DEVNULL
    )


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    process.wait(60)


def write_a_search(writer: Writer, finish: Callable[..., None]) -> None:
    writer.start()
    for number, workflow_id in enumerate((3, 50, 77, 10, 100, 31)):
        writer.begin(workflow_id, order_name(workflow_id))
        for each in range(12):
            writer.update(workflow_id, -100.0 + 5 * each - number, compliance=0.5 + 0.04 * each)
        writer.end(workflow_id, order_name(workflow_id), -20.0 - 5 * number)
    writer.event(EpisodesLost(num_episodes=5, num_rebuilds=1))
    finish()


@pytest.mark.timeout(400)
def test_a_run_that_goes_on_is_killed_and_resumed(tmp_path: Path, open_page: OpenPage) -> None:
    options = ["--workers=1", "--total-episodes=1000000", "--episodes-per-update=16", "--checkpoint-interval-s=0"]
    process = start(*options, f"--log-dir={tmp_path}", "--run-name=live")
    try:
        run_dir = tmp_path / "live"
        while not (run_dir / "training_log.csv").exists():
            assert process.poll() is None
            os.sched_yield()
        with open_page("now/live") as page:
            expect(page.locator("#chosen .badge")).to_have_text("▶ running")
            updates = page.locator("dt:text-is('Updates') + dd")
            expect(updates).to_have_text(re.compile(r"^[1-9]"))
            before = updates.inner_text()
            expect(updates).not_to_have_text(before)  # it moves by itself
            page.screenshot(path=tmp_path / "now.png")
            end(process, signal.SIGKILL)
            expect(page.locator("#chosen .badge")).to_have_text("✕ crashed")
            expect(page.locator(".warning")).to_contain_text("resume goes on with it")
            page.screenshot(path=tmp_path / "crashed.png")
            process = start("resume", str(run_dir))
            expect(page.locator("#chosen .badge")).to_have_text("▶ running")
            before = updates.inner_text()
            expect(updates).not_to_have_text(before)
            end(process, signal.SIGINT)
            expect(page.locator("#chosen .badge")).to_have_text("■ stopped")
            page.get_by_role("link", name="Learning").click()
            expect(page.locator(".plot canvas").first).to_be_visible()
            expect(page.locator("tbody tr")).not_to_have_count(0)
            page.screenshot(path=tmp_path / "learning.png", full_page=True)
    finally:
        process.kill()
        process.wait()


def test_curves_by_keyboard_and_filtered(
    tmp_path: Path, open_page: OpenPage, writer: Writer, finish: Callable[..., None]
) -> None:
    write_a_search(writer, finish)
    with open_page("learning/run", dark=True) as page:
        expect(page.locator("tbody tr")).to_have_count(6)
        chart = page.locator(".plot .canvas").first
        readout = page.locator(".plot .readout").first
        chart.focus()
        page.keyboard.press("ArrowRight")
        expect(readout).to_have_text(f"visit 0 (search) {order_name(3)}: -100 ± 2 at 32 episodes of the run")
        page.keyboard.press("ArrowRight")
        expect(readout).to_contain_text(": -95 ± 2 at 64 ")
        page.keyboard.press("ArrowDown")
        expect(readout).to_contain_text(order_name(50))
        page.screenshot(path=tmp_path / "learning.png", full_page=True)
        page.get_by_label("Over").select_option("visit_episodes")
        page.get_by_label("Visits with").fill(order_name(50))
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_label("Visits with").fill("nobody")
        expect(page.locator("tbody tr")).to_have_count(0)


def test_the_map_of_orders_visit_by_visit(
    tmp_path: Path, open_page: OpenPage, writer: Writer, finish: Callable[..., None]
) -> None:
    write_a_search(writer, finish)
    with open_page("search/run") as page:
        expect(page.locator(".cell")).to_have_count(120)
        assert [cell.get_attribute("data-id") for cell in page.locator(".cell").all()] == [str(w) for w in range(120)]
        expect(page.locator(".cell", has_text="★")).to_have_attribute("data-id", "3")
        expect(page.locator(".cell", has_text="●")).to_have_count(5)
        expect(page.get_by_text("What would settle it")).to_be_visible()
        page.screenshot(path=tmp_path / "search.png", full_page=True)
        page.locator(".cell[data-id='3']").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".facts h3")).to_have_text(order_name(4).replace("->", "→"))
        page.get_by_role("slider").focus()
        page.keyboard.press("Home")
        expect(page.locator("output").first).to_have_text("1 of 6 visits")
        expect(page.locator(".cell", has_text="●")).to_have_count(0)
        page.get_by_label("Shaded by").select_option("std")
        expect(page.locator(".legend-line")).to_contain_text("uncertain")


def test_what_stands_in_a_cell_of_the_map_can_be_read(open_page: OpenPage) -> None:
    with open_page("runs") as page:
        shades = page.evaluate(
            """async () => {
              const { shade } = await import(new URL("colours.js", document.querySelector("script[src]").src));
              return Array.from({ length: 201 }, (_, each) => shade(each / 200));
            }"""
        )
    text = {"#fff": (255, 255, 255), "#000": (0, 0, 0)}
    ratios = [contrast(map(int, re.findall(r"\d+", each["background"])), text[each["text"]]) for each in shades]
    assert min(ratios) >= 4.5


def test_runs_are_chosen_and_compared(
    tmp_path: Path, open_page: OpenPage, writer: Writer, finish: Callable[..., None]
) -> None:
    write_a_search(writer, finish)
    other = tmp_path / "other"
    shutil.copytree(writer.run_dir, other)
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace('"seed": 0', '"seed": 7').replace('"run"', '"other"'))
    with open_page("runs") as page:
        expect(page.locator("tbody tr")).to_have_count(2)
        page.screenshot(path=tmp_path / "runs.png")
        page.get_by_role("button", name="Seed").click()
        expect(page.locator("tbody th").first).to_have_text("other")
        page.get_by_role("button", name="Seed").click()
        expect(page.locator("tbody th").first).to_have_text("run")
        page.get_by_label("compare run").check()
        page.get_by_label("compare other").check()
        page.get_by_role("link", name="Compare (2)").click()
        expect(page.locator(".differs th")).to_have_text(["≠ seed", "≠ run_name"])
        expect(page.locator(".scores")).to_have_count(2)
        expect(page.locator("code.digest").first).to_have_text("abc")
        page.get_by_label("only what differs").uncheck()
        assert page.locator("tbody tr").count() > 40
        page.screenshot(path=tmp_path / "compare.png", full_page=True)


def test_all_runs_that_there_are_side_by_side(
    tmp_path: Path, open_page: OpenPage, writer: Writer, finish: Callable[..., None]
) -> None:
    """As an experiment opens it: runs come while it is looked at, and one has only just begun."""
    away = writer.run_dir.rename(tmp_path.parent / f"{tmp_path.name}-away")
    with open_page("compare/*") as page:
        expect(page.locator(".legend li")).to_have_text(["No run has begun yet."])
        away.rename(writer.run_dir)
        write_a_search(writer, finish)
        just_begun = tmp_path / "begun"
        just_begun.mkdir()
        shutil.copy(writer.run_dir / "config.json", just_begun)
        expect(page.locator(".legend li")).to_have_text([re.compile("^begun "), re.compile("^run ")])
        assert page.title().startswith("all runs ")
        expect(page.locator(".plot canvas").first).to_be_visible()
        page.screenshot(path=tmp_path / "all.png", full_page=True)


def test_a_hostile_run_is_text(
    tmp_path: Path, open_page: OpenPage, writer: Writer, finish: Callable[..., None]
) -> None:
    write_a_search(writer, finish)
    finish(best_workflow=HOSTILE, digest=HOSTILE, reason="stopped")
    writer.run_dir.rename(tmp_path / HOSTILE)
    (tmp_path / HOSTILE / "worker_faults.log").write_text(HOSTILE)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "config.json").write_text(f'{{"{HOSTILE}": 1}}')

    def is_text(page: Page) -> None:
        assert page.locator("img").count() == 0

    with open_page("runs", width=420) as page:
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.locator(".notes")).to_contain_text("damaged")
        is_text(page)
        page.get_by_role("link", name=HOSTILE).click()
        for view in ("Now", "Learning", "Search"):
            page.get_by_role("link", name=view, exact=True).click()
            expect(page.locator("h2")).to_have_text(HOSTILE)
            expect(page.locator(f"nav a:text-is('{view}')")).to_have_attribute("aria-current", "page")
            is_text(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= 420
        page.screenshot(path=tmp_path / "narrow.png")


def test_a_page_that_stays_open_does_not_grow(
    open_page: OpenPage, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.watch import app, feed

    monkeypatch.setattr(feed, "MOST_VISITS", 4)
    monkeypatch.setattr(feed, "MOST_POINTS", 32)
    monkeypatch.setattr(feed, "MOST_POINTS_OF_CURVE", 16)
    monkeypatch.setattr(app, "INTERVAL_S", 0.01)
    writer.start()
    with open_page("learning/run") as page:
        for workflow_id in range(10):
            for _ in range(20):
                writer.update(workflow_id)
            writer.end(workflow_id, order_name(workflow_id), -20.0)
            expect(page.locator("p.soft").first).to_contain_text(f"of {workflow_id + 1} visits")
        expect(page.locator("tbody tr")).to_have_count(4)
        expect(page.locator("p.soft").first).to_have_text(
            re.compile("^4 of 10 visits. A point is a mean over up to 4 updates")
        )


def test_an_episode_is_replayed_and_another_choice_is_tried(
    tmp_path: Path, open_page: OpenPage, make_run: MakeRun
) -> None:
    make_run({17: 100}, best=17)
    with open_page("replay/run") as page:
        expect(page.locator(".replay .count")).to_have_text("0 / 100")
        page.locator(".replay").focus()
        page.keyboard.press("End")
        expect(page.locator(".replay .count")).to_have_text("100 / 100")
        page.get_by_label("Episode", exact=True).fill("7")
        page.get_by_role("button", name="Show").click()
        expect(page.locator(".replay")).to_contain_text("Episode 7 of an evaluation")
        page.screenshot(path=tmp_path / "replay.png", full_page=True)
        page.get_by_label("or the worst of").fill("0")
        page.get_by_role("link", name="Runs").click()
        expect(page.locator("tbody tr")).to_have_count(1)
