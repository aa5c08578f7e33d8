"""A replay as one page that needs nothing else: it opens from disk, asks no network, and runs no script but its own.

    static/*.js, in order, without imports and exports -> one script -> its digest -> the page's security policy

What is in an episode is data to the page: JSON in which no markup can begin.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from pipeline.replay.episode import as_json

if TYPE_CHECKING:
    from pipeline.replay.episode import Replay

MODULES: Final = ("dom.js", "words.js", "network.js", "timeline.js", "panels.js", "fork.js", "replay.js")
"""Of `static`, each after those that it imports."""
_IMPORT = re.compile(r"^import \{[^}]*\} from \"\./[a-z]+\.js\";\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(async )?(function|class|const) )", re.MULTILINE)
_START: Final = """
const places = document.querySelectorAll("[data-replay]");
for (const place of places) {
  const episode = JSON.parse(document.getElementById(place.dataset.replay).textContent);
  mount(place, episode).then((player) => places.length === 1 && player.root.focus({ preventScroll: true }));
}
"""
_PAGE_STYLE: Final = """
:root { color-scheme: light dark; }
body { margin: 0; background: light-dark(#ffffff, #14181d); }
main { max-width: 96rem; margin: 0 auto; padding: 1rem; }
"""


@cache
def script() -> str:
    """Return what draws the episodes of a page, as one module.

    `<div data-replay="ID">` is where one is drawn, and `<script type="application/json" id="ID">` has its `data`.
    """
    return "\n".join(_EXPORT.sub("", _IMPORT.sub("", _static(name))) for name in MODULES) + _START


@cache
def style() -> str:
    """Return how they look: all of it below `.replay`."""
    return _static("replay.css")


def data(replay: Replay) -> str:
    """Return an episode as the content of a `<script type="application/json">`: nothing in it ends that."""
    return as_json(replay).replace("<", "\\u003c")


def page(replay: Replay) -> str:
    """Return the page of a replay: the same for the same."""
    code, look = script(), _PAGE_STYLE + style()
    policy = (
        f"default-src 'none'; script-src '{digest(code)}'; style-src '{digest(look)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(_title(replay))}</title>
<link rel="icon" href="data:,">
<style>{look}</style>
</head>
<body>
<main data-replay="episode"></main>
<script type="application/json" id="episode">{data(replay)}</script>
<script type="module">{code}</script>
</body>
</html>
"""


def _title(replay: Replay) -> str:
    return f"Replay: {replay.agent.get('run', replay.agent.get('name', '?'))} against {replay.red_agent}"


def _static(name: str) -> str:
    return (files("pipeline.replay") / "static" / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return a script's or style's digest, as a security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
