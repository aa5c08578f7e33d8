"""The pictures of docs/: a small run is trained, and looked at in Chromium as its pages show it.

python bench/pictures.py

The run is the same each time; what it took, and how a browser draws letters, is not. It needs playwright.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from parts.browser import QUIET, find_browser, page_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[1]
RUN = Path("logs/tuesday")
TRAINED = ("--episodes-per-visit=320", "--finals-share=0.4", "--compliance-threshold=0.6", "--evaluation-episodes=50")
"""Options of the run: a dozen orders, or as many as it has episodes for, and finals."""
WAIT_MS = 120_000


def main() -> int:
    """Train, look, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "pictures", metavar="FOLDER", help="[docs/pictures]")
    parser.add_argument("--episodes", type=int, default=6000, metavar="N", help="of the run [6000]")
    parser.add_argument("--played", type=int, default=200, metavar="N", help="of each evaluation of its defender [200]")
    options = parser.parse_args()
    executable = find_browser()
    if executable is None:
        print("there is no Chromium on this machine", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    to = options.to.absolute()
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cage2-pictures-") as folder, contextlib.chdir(folder):
        _run(f"--log-dir={RUN.parent}", f"--run-name={RUN.name}", f"--total-episodes={options.episodes}", *TRAINED)
        _run("replay", str(RUN), "--worst-of", str(options.played), "--fork", "8", "--html", "replay.html")
        _run("report", str(RUN), "--episodes", str(options.played), "-o", "report.html")
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=executable, args=list(QUIET))
            _look(browser, to)
            browser.close()
    return 0


def _look(browser: Browser, to: Path) -> None:
    with page_server(RUN.parent.absolute()) as (address, _):
        with _page(browser, f"{address}#learning/{RUN.name}", dark=True) as page:
            page.locator("tbody tr").first.wait_for()
            _take(page, to / "learning.png")
        with _page(browser, f"{address}#search/{RUN.name}", height=1120) as page:
            page.locator(".cell", has_text="★").focus()
            page.locator(".facts h3").wait_for()
            _take(page, to / "search.png")
    with _page(browser, Path("replay.html").absolute().as_uri(), height=1180) as page:
        page.locator(".fork").get_by_text("step 8").first.click()
        page.mouse.move(0, 0)
        _take(page, to / "replay.png")
    with _page(browser, Path("report.html").absolute().as_uri(), height=1500) as page:
        _take(page, to / "report.png")


def _run(*arguments: str) -> None:
    print("run.py", *arguments, file=sys.stderr, flush=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(ROOT / "run.py"), *arguments], check=True, env=environment, stdout=sys.stderr)


@contextlib.contextmanager
def _page(browser: Browser, url: str, *, height: int = 900, dark: bool = False) -> Iterator[Page]:
    scheme = "dark" if dark else "light"
    with browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": height}) as context:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(url)
        yield page


def _take(page: Page, path: Path) -> None:
    page.screenshot(path=path)
    print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    raise SystemExit(main())
