"""`run.py report` in a real browser: from disk, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.command.cli import main
from pipeline.command.process import OK

expect = pytest.importorskip("playwright.sync_api", reason="playwright, which drives a browser, is missing").expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.browser.conftest import OpenTab


@pytest.fixture(scope="module")
def address(trained_run: Path) -> str:
    """Where the page of a run of 96 episodes is."""
    path = trained_run.parent / "report.html"
    assert main(["report", str(trained_run), "--episodes", "20", "-o", str(path)]) == OK
    return path.as_uri()


def test_both_episodes_can_be_stepped(address: str, open_tab: OpenTab, tmp_path: Path) -> None:
    with open_tab(address) as tab:
        assert tab.locator("main h2:not(.replay h2)").all_inner_texts() == [
            "What was run",
            "What was found",
            "What the defender is worth",
            "How it learned",
            "The 120 orders",
            "Two of its episodes",
            "How to repeat it",
        ]
        expect(tab.locator("figure svg")).to_have_count(3)
        typical, worst = tab.locator(".replay").all()
        for episode, key, at in ((typical, "ArrowRight", 1), (worst, "End", 100), (worst, "ArrowLeft", 99)):
            episode.focus()
            tab.keyboard.press(key)
            expect(episode.locator(".count")).to_have_text(f"{at} / 100")
        expect(typical.locator(".count")).to_have_text("1 / 100")  # each by itself
        typical.get_by_label("A step on (right arrow)").click()
        expect(typical.locator(".count")).to_have_text("2 / 100")
        typical.locator("input[type=range]").fill("40")
        expect(typical.locator(".count")).to_have_text("40 / 100")
        tab.screenshot(path=tmp_path / "report.png", full_page=True)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_narrow_window_scrolls_in_one_direction(dark: bool, address: str, open_tab: OpenTab, tmp_path: Path) -> None:
    with open_tab(address, width=390, dark=dark) as tab:
        assert tab.locator("html").evaluate("html => html.scrollWidth") <= 390
        channels = tab.locator("body").evaluate("body => getComputedStyle(body).backgroundColor.match(/\\d+/g)")
        assert (max(map(int, channels[:3])) < 64) is dark
        expect(tab.locator(".host")).to_have_count(26)
        tab.screenshot(path=tmp_path / "narrow.png", full_page=True)


def test_paper_is_white_whatever_the_screen_is(address: str, open_tab: OpenTab, tmp_path: Path) -> None:
    with open_tab(address, dark=True) as tab:
        tab.emulate_media(media="print")
        colours = "body => [getComputedStyle(body).color, getComputedStyle(body).backgroundColor]"
        assert tab.locator("body").evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
        tab.pdf(path=tmp_path / "report.pdf")


def test_a_reader_that_runs_no_script_says_so_and_shows_the_rest(address: str, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False, offline=True) as context:
        tab = context.new_page()
        tab.goto(address)
        expect(tab.get_by_text("It is drawn by a script, which this reader does not run.")).to_have_count(2)
        expect(tab.locator("figure svg")).to_have_count(3)
