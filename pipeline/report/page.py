"""A report as one page that can be mailed: it opens from disk, asks no network, and runs no script but its own.

The same runs give the same bytes: nothing in it says when or where it was made.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from pipeline.replay import page as replay_page
from pipeline.report import sections
from pipeline.report.comparison import comparison, seeds
from pipeline.report.markup import Markup, h, join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.experiment.comparison import Comparison
    from pipeline.replay.episode import Replay
    from pipeline.report.facts import Facts

_START: Final = """
for (const place of document.querySelectorAll("[data-replay]")) {
  mount(place, JSON.parse(document.getElementById(place.dataset.replay).textContent));
}
"""


def page(runs: Sequence[Facts], over_seeds: Comparison | None = None) -> str:
    """Return the page.

    Args:
        runs: At least one; several are compared first.
        over_seeds: What experiments came to, whose typical runs are among these.
    """
    style = replay_page.style() + _style()
    script = replay_page.script() + _START
    policy = (
        f"default-src 'none'; script-src '{replay_page.digest(script)}'; style-src '{replay_page.digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    title = f"Report: {', '.join(run.run_dir.name for run in runs)}"
    head = join(
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=policy),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("title", title),
        h("link", rel="icon", href="data:,"),
        h("style", Markup(style)),
    )
    body = h(
        "main",
        h("h1", title),
        seeds(over_seeds) if over_seeds else None,
        comparison(runs) if len(runs) > 1 else None,
        *(_run(run, place, is_alone=len(runs) == 1) for place, run in enumerate(runs)),
    )
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>{body}{_script(script)}</body>\n</html>\n'


def _run(run: Facts, place: int, *, is_alone: bool) -> Markup:
    return h(
        "article",
        None if is_alone else h("h1", run.run_dir.name),
        sections.what_was_run(run),
        sections.what_was_found(run),
        sections.scores(run),
        sections.curves(run),
        sections.orders(run),
        _episodes(run, place),
        sections.how_to_repeat(run),
    )


def _episodes(run: Facts, place: int) -> Markup | None:
    """Return the two episodes, each to be played and looked at step by step."""
    if run.defender is None:
        return None
    return h(
        "section",
        h("h2", "Two of its episodes"),
        h("h3", "A typical one: that of the median return"),
        *_episode(run.defender.typical, f"typical-{place}"),
        h("h3", f"The worst of {run.defender.num_episodes:,}"),
        *_episode(run.defender.worst, f"worst-{place}"),
    )


def _episode(replay: Replay, name: str) -> tuple[Markup, Markup]:
    data = Markup(replay_page.data(replay))  # in which nothing ends the element
    return (
        h(
            "div",
            h("p", "It is drawn by a script, which this reader does not run."),
            data_replay=name,
            class_="episode",
        ),
        h("script", data, type="application/json", id=name),
    )


def _script(text: str) -> Markup:
    return h("script", Markup(text), type="module")


def _style() -> str:
    return (resources.files("pipeline.report") / "static" / "report.css").read_text(encoding="utf-8")
