"""A real browser, and a server of the page for it."""

from __future__ import annotations

import shutil
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import pytest

from pipeline.reading.folders import RunFolders
from pipeline.watch.listener import Listener
from pipeline.watch.server import Server
from tests.pipeline.conftest import events, finished, make_run, run_finished, update
from tests.pipeline.reading.conftest import Writer, finish, writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from playwright.sync_api import Browser, Page

__all__ = ["Writer", "events", "finish", "finished", "make_run", "run_finished", "update", "writer"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""It asks nobody but the page's server."""


class OpenPage(Protocol):
    def __call__(self, view: str, *, width: int = 1400, dark: bool = False) -> AbstractContextManager[Page]: ...


@pytest.fixture(scope="module")  # the driver runs an event loop in this thread, beside which no other may
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright, which drives a browser, isn't installed"
    )
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"there is no browser here: none of {', '.join(NAMES)}")
    playwright.expect.set_options(timeout=60_000)  # of a busy machine
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(tmp_path: Path, browser: Browser) -> Iterator[OpenPage]:
    """Return what opens the page over `tmp_path`, for as long as a context lasts. Nothing in it may go wrong."""
    listener = Listener.open()
    server = Server(RunFolders(tmp_path), listener)
    thread = threading.Thread(target=server.serve)
    thread.start()

    @contextmanager
    def open_one(view: str, *, width: int = 1400, dark: bool = False) -> Iterator[Page]:
        wrong: deque[str] = deque()
        context = browser.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": width, "height": 900}
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: None if f":{listener.port}/" in request.url else wrong.append(request.url))
        try:
            page.goto(f"{listener.address}#{view}")
            yield page
            assert list(wrong) == []
        finally:
            context.close()

    yield open_one
    server.stop()
    thread.join(timeout=30)
    assert not thread.is_alive()
