"""The server of `run.py watch`, and the Chromium of this machine, which asks nobody but the pages that it is given."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Arguments: it draws without a GPU, as any user, and looks for no news of its own."""


def find_browser() -> str | None:
    """Return where it is; None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def page_server(log_dir: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Have a page of the runs in a folder served; its address, and the process."""
    command = [sys.executable, str(ROOT / "run.py"), "watch", f"--log-dir={log_dir}", "--no-browser"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.terminate()


@contextlib.contextmanager
def open_page(address: str, browser: str | None) -> Iterator[subprocess.Popen[bytes] | None]:
    """Have a page open on the run's learning curves, the view that draws most."""
    if browser is None:
        with _listening(address):
            yield None
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:  # its children may still write
        command = [browser, "--headless=new", *QUIET, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
        process = subprocess.Popen([*command, f"{address}#learning/run"], stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _listening(address: str) -> Iterator[None]:
    has_begun, is_over = threading.Event(), threading.Event()

    def listen() -> None:
        with contextlib.suppress(httpx.TransportError), httpx.Client(timeout=600) as client:  # the server may end first
            client.get(address)
            with client.stream("GET", httpx.URL(address).join("/api/runs/run/news")) as told:
                for _ in told.iter_lines():
                    has_begun.set()
                    if is_over.is_set():
                        return

    threading.Thread(target=listen, daemon=True).start()
    has_begun.wait(60)
    yield
    is_over.set()
