"""The Chromium of this machine, which asks nobody but the pages that it is given."""

from __future__ import annotations

import shutil
from typing import Final

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
