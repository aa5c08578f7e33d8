"""A browser, where there is a screen that it could be on."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import webbrowser
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def has_screen() -> bool:
    """Return whether a browser would be seen; one that draws on the terminal would take that."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextlib.contextmanager
def opened(address: str) -> Iterator[None]:
    """Open an address in a browser, if it would be seen.

    Everybody on a machine may read what a program was started with, and the address has a token in it. So the browser
    is given a file that leads there, which only this user may read, and which is there as long as the context.

    Args:
        address: To be opened.
    """
    if not has_screen():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="cage2-watch-") as folder:
        page = Path(folder) / "open.html"
        link = escape(address)
        page.write_text(
            f'<!doctype html><meta http-equiv="refresh" content="0; url={link}"><a href="{link}">To the runs</a>\n'
        )
        webbrowser.open(page.as_uri())
        yield
