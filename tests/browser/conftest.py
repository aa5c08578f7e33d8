"""A real browser, in which nothing may go wrong. Tests leave pictures in their temporary folders, to be looked at."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin

import pytest

from bench.parts.browser import QUIET, find_browser
from tests.pipeline.conftest import events, finished, make_run, run_finished, update
from tests.pipeline.reading.conftest import Writer, finish, writer
from tests.pipeline.report.conftest import trained_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from playwright.sync_api import Browser, Page

__all__ = ["Writer", "events", "finish", "finished", "make_run", "run_finished", "trained_run", "update", "writer"]


class OpenTab(Protocol):
    def __call__(self, url: str, *, width: int = 1280, dark: bool = False) -> AbstractContextManager[Page]: ...


@pytest.fixture(scope="module")  # the driver runs an event loop in this thread, beside which no other may
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright, which drives a browser, is missing")
    path = find_browser()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    playwright.expect.set_options(timeout=60_000)  # of a busy machine
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def open_tab(browser: Browser) -> OpenTab:
    """Return what opens a page for as long as a context lasts, at the end of which it has to have been quiet.

    It may write nothing to the console, and ask nobody but who sent it. A page from disk may ask for nothing at all: it
    has no network, and the file is all that is read.
    """

    @contextmanager
    def open_one(url: str, *, width: int = 1280, dark: bool = False) -> Iterator[Page]:
        is_file = url.startswith("file:")
        own = url if is_file else urljoin(url, "/")
        complaints: list[str] = []
        requests: list[str] = []
        with browser.new_context(
            offline=is_file, color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}
        ) as context:
            tab = context.new_page()
            tab.set_default_timeout(60_000)
            tab.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
            tab.on("pageerror", lambda error: complaints.append(str(error)))
            tab.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
            tab.on("request", lambda request: requests.append(request.url))
            tab.goto(url)
            yield tab
            assert complaints == []
            if is_file:
                assert requests == [url]
            assert [each for each in requests if not each.startswith(own)] == []

    return open_one
