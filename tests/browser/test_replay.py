"""A replay in a real browser: from disk, and as modules from a server under a strict policy."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from pipeline.command.cli import main
from pipeline.command.process import OK
from pipeline.replay.episode import as_json
from pipeline.replay.page import data, page, script, style
from pipeline.replay.played import play
from tests.pipeline.replay.conftest import NUM_STEPS, chosen, trained_policy

expect = pytest.importorskip("playwright.sync_api", reason="playwright, which drives a browser, is missing").expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from pipeline.replay.played import Played
    from tests.browser.conftest import OpenTab

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def played() -> Played:
    return play(trained_policy(), chosen())


def count(tab: Page) -> str:
    return tab.inner_text(".count")


def test_keys_and_clicks_go_through_the_episode(open_tab: OpenTab, played: Played, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(page(played.replay()))
    with open_tab(path.as_uri()) as tab:
        assert count(tab) == f"0 / {NUM_STEPS}"
        for key, step in (("ArrowRight", 1), ("End", NUM_STEPS), ("ArrowLeft", NUM_STEPS - 1), ("Home", 0)):
            tab.keyboard.press(key)
            assert count(tab) == f"{step} / {NUM_STEPS}"
        tab.locator("input[type=range]").fill("5")
        step = played.trace.steps[4]
        assert count(tab) == f"5 / {NUM_STEPS}"
        assert step.blue.action in tab.inner_text(".now")
        assert step.red.action in tab.inner_text(".now")
        held = [host.get_attribute("data-host") for host in tab.locator('.host:not([data-held="None"])').all()]
        assert sorted(held) == sorted(step.network.sessions)
        following = played.trace.steps[5].blue
        assert following.choice in tab.inner_text(".thought")
        tab.get_by_text("CybORG's own tables").click()
        assert played.replay().frames[5].true_table in tab.locator("pre").nth(1).inner_text()
        tab.get_by_text("All steps as text").click()
        tab.locator("tr[data-step='9'] button").click()
        assert count(tab) == f"9 / {NUM_STEPS}"
        box = tab.locator(".timeline").bounding_box()
        assert box is not None
        tab.locator(".timeline").click(position={"x": box["width"] - 12, "y": 90})
        assert count(tab) == f"{NUM_STEPS} / {NUM_STEPS}"


def test_it_plays_and_pauses_at_any_speed(open_tab: OpenTab, played: Played, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(page(played.replay()))
    with open_tab(path.as_uri()) as tab:
        tab.clock.install(time=0)
        tab.clock.pause_at(1)  # from here on time passes when the test says so
        for _ in range(8):
            tab.keyboard.press("-")
        assert tab.inner_text(".speed") == "1 step/s"
        tab.keyboard.press(" ")
        tab.get_by_label("Pause (space)").wait_for()
        for step in (1, 2):
            tab.clock.run_for(999)
            assert count(tab) == f"{step - 1} / {NUM_STEPS}"
            tab.clock.run_for(1)
            assert count(tab) == f"{step} / {NUM_STEPS}"
        tab.get_by_label("Pause (space)").click()
        tab.clock.run_for(60_000)
        assert count(tab) == f"2 / {NUM_STEPS}"
        for _ in range(8):
            tab.keyboard.press("+")
        assert tab.inner_text(".speed") == "32 steps/s"
        tab.keyboard.press("-")
        assert tab.inner_text(".speed") == "16 steps/s"
        tab.get_by_label("Play (space)").click()
        tab.clock.run_for(500)
        assert count(tab) == f"10 / {NUM_STEPS}"
        tab.clock.run_for(60_000)
        assert count(tab) == f"{NUM_STEPS} / {NUM_STEPS}"
        tab.get_by_label("Play (space)").click()  # begins anew
        assert count(tab) == f"0 / {NUM_STEPS}"


def test_what_was_tried_is_shown_and_what_was_not_is_said(open_tab: OpenTab, played: Played, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    tried = played.fork(3, "Sleep", num_futures=50)
    path.write_text(page(played.replay(tried)))
    with open_tab(path.as_uri()) as tab:
        panel = tab.locator(".fork")
        assert "No other choice was tried in step 1. This page stands by itself" in panel.inner_text()
        assert '--fork "1:ACTION"' in panel.inner_text()
        assert tab.locator(".fork-form").count() == 0
        panel.get_by_text("step 4").click()
        assert count(tab) == f"3 / {NUM_STEPS}"
        assert f"Sleep instead of {tried.own.choice}" in panel.inner_text()
        assert f"± {tried.difference_stderr:.2f}" in panel.inner_text()
        tab.screenshot(path=tmp_path / "wide.png", full_page=True)  # pytest keeps it for a while, to be looked at
        assert panel.locator("rect.bin").count() == sum(map(bool, (*tried.own.counts, *tried.other.counts)))


def test_a_hostile_file_runs_nothing(open_tab: OpenTab, played: Played, tmp_path: Path) -> None:
    path, traces = tmp_path / "a.html", tmp_path / "hostile.jsonl"
    assert main(("trace", "restore", "--steps", "5", "--to", str(traces))) == OK
    header, line = map(json.loads, traces.read_text().splitlines())
    header["agent"] = dict.fromkeys(("name", "run", "actions", "workflow_order", "__proto__"), HOSTILE)
    header["game"] = {"engine": HOSTILE, "profile": HOSTILE}
    line["red_agent"] = HOSTILE
    line["addresses"]["User1"], line["subnets"]["User"] = HOSTILE, HOSTILE
    for step in line["steps"]:
        step["blue"] |= {"choice": HOSTILE, "likeliest": {HOSTILE: 0.5}}
        step["red"] |= {"action": "__proto__", "target": HOSTILE}
        step["network"]["decoys"] = {"User1": [HOSTILE]}
        step["blue"]["saw"]["memory"] = [f"suspects {HOSTILE}", HOSTILE]
    traces.write_text(json.dumps(header) + "\n" + json.dumps(line) + "\n")
    assert main(("replay", str(traces), "--html", str(path))) == OK
    with open_tab(path.as_uri()) as tab:
        for _ in range(5):
            tab.keyboard.press("ArrowRight")
        tab.get_by_text("CybORG's own tables").click()
        tab.get_by_text("All steps as text").click()
        assert tab.locator("img").count() == 0
        assert tab.title().startswith("Replay: <img")
        assert HOSTILE in tab.inner_text("h2")
        assert "Other choices can't be tried here: a file of traces has steps alone" in tab.inner_text(".fork")


def test_a_narrow_window_scrolls_in_one_direction(open_tab: OpenTab, played: Played, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(page(played.replay(played.fork(0, "Sleep", num_futures=20))))
    with open_tab(path.as_uri(), width=390) as tab:
        assert tab.locator("html").evaluate("html => html.scrollWidth") <= 390
        assert tab.locator(".host").count() == 13
        tab.screenshot(path=tmp_path / "narrow.png", full_page=True)  # pytest keeps it for a while, to be looked at


def test_a_page_may_have_several(open_tab: OpenTab, played: Played, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    parts = ['<!doctype html><meta charset="utf-8">', f"<style>{style()}</style>"]
    for name, each in (("first", played), ("second", play("sleep", chosen(1)))):
        parts.append(f'<div data-replay="{name}"></div>')
        parts.append(f'<script type="application/json" id="{name}">{data(each.replay())}</script>')
    path.write_text("".join([*parts, f'<script type="module">{script()}</script>']))
    with open_tab(path.as_uri()) as tab:
        expect(tab.locator(".replay")).to_have_count(2)
        tab.locator(".replay").nth(1).focus()
        tab.keyboard.press("End")
        assert tab.locator(".count").all_inner_texts() == [f"0 / {NUM_STEPS}", f"{NUM_STEPS} / {NUM_STEPS}"]
        assert "This agent has no probabilities" not in tab.locator(".thought").nth(0).inner_text()


SHELL = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>live</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="replay.css"></head>
<body><main></main><script type="module" src="shell.js"></script></body></html>"""
SCRIPT = """
import { mount } from "./replay.js";
const source = async (what, choice = {}) => {
  const answer = await fetch(`${what}?${new URLSearchParams(choice)}`);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
};
mount(document.querySelector("main"), source);
"""


@contextmanager
def served(answers: dict[str, Callable[[dict[str, str]], str]]) -> Iterator[str]:
    """Serve the modules as they are, under the policy of the live page, and what they fetch."""
    static = files("pipeline.replay") / "static"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            name = url.path.removeprefix("/")
            try:
                if name in answers:
                    kind, text = "application/json", answers[name](dict(parse_qsl(url.query)))
                else:
                    text = {"": SHELL, "shell.js": SCRIPT}.get(name) or (static / name).read_text()
                    kind = {"js": "text/javascript", "css": "text/css"}.get(name.rpartition(".")[2], "text/html")
                self.send_response(200)
            except Exception as error:  # noqa: BLE001  # whatever it is, it is told
                kind, text = "text/plain", str(error)
                self.send_response(400)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Security-Policy", "default-src 'self'; img-src data:")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def test_modules_fetch_an_episode_and_what_is_tried(open_tab: OpenTab, played: Played) -> None:
    asked: list[dict[str, str]] = []

    def fork(query: dict[str, str]) -> str:
        asked.append(query)
        return as_json(played.fork(int(query["moment"]), query["choice"], num_futures=20))

    with served({"episode": lambda _: as_json(played.replay()), "fork": fork}) as url, open_tab(url) as tab:
        tab.locator("input[type=range]").fill("4")
        tab.select_option(".fork select", "Restore User1")
        tab.get_by_text("Play 1,000 futures").click()
        tab.locator(".fork .sum").wait_for()
        assert tab.inner_text(".fork .sum").startswith("Restore User1 instead of ")
        assert asked == [{"moment": "4", "choice": "Restore User1"}]
        likely = tab.locator(".thought button")
        if likely.count():
            likely.first.click()
            expect(tab.locator(".outcomes tbody tr")).to_have_count(2)


def test_what_fails_is_told(browser: Browser, played: Played) -> None:
    def fork(_: dict[str, str]) -> str:
        raise ValueError("no such <b>choice</b>")

    with served({"episode": lambda _: as_json(played.replay()), "fork": fork}) as url, browser.new_context() as context:
        tab = context.new_page()
        tab.goto(url)
        tab.get_by_text("Play 1,000 futures").click()
        tab.get_by_text("That could not be played: no such <b>choice</b>").wait_for()


def test_an_episode_that_cannot_be_shown_is_told(browser: Browser) -> None:
    def episode(_: dict[str, str]) -> str:
        raise ValueError("no run <b>x</b>")

    with served({"episode": episode}) as url, browser.new_context() as context:
        tab = context.new_page()
        tab.goto(url)
        tab.get_by_text("The episode can't be shown: no run <b>x</b>").wait_for()
