"""Several runs side by side: what they are worth, where their configurations differ, how they learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cage2.facts.order_names import order_name
from pipeline.evaluate.results import total_score
from pipeline.experiment import told
from pipeline.report.chart import Curve, chart
from pipeline.report.markup import Markup, h, table
from pipeline.report.sections import interval, short
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.experiment.comparison import Comparison
    from pipeline.report.facts import Facts
    from pipeline.report.markup import Content

NUM_LINES = 6
"""Kinds of curves in the page's style."""


def comparison(runs: Sequence[Facts]) -> Markup:
    """Return the section that compares runs.

    Args:
        runs: At least two.
    """
    return h("section", h("h2", "Side by side"), _scores(runs), _differences(runs), _curves(runs))


def seeds(over_seeds: Comparison) -> Markup:
    """Return the section that says what experiments came to: over seeds, by each run's own last evaluation."""
    return h(
        "section",
        h("h2", "Over seeds"),
        *(table([*sheet.head], [[*row] for row in sheet.rows], sheet.title) for sheet in told.sheets(over_seeds)),
        *(h("p", note) for note in told.notes(over_seeds)),
    )


def _scores(runs: Sequence[Facts]) -> Markup:
    games = list(dict.fromkeys(r.scenario for run in runs if run.defender for r in run.defender.results))
    rows: list[list[Content]] = []
    for run in runs:
        by_game = {r.scenario: r for r in run.defender.results} if run.defender else {}
        total = total_score(run.defender.results) if run.defender else None
        rows.append(
            [
                run.run_dir.name,
                order_name(run.defender.trained.workflow_id) if run.defender else "none",
                *(interval(by_game[game].env_reward) if game in by_game else "" for game in games),
                interval(total) if total else "",
            ]
        )
    head = ["run", "defender", *(f"{short(game.red_agent)}, {game.num_steps}" for game in games), "all nine"]
    return table(head, rows, "Mean return, points ± 95 % over episodes: the same episodes for all of a game")


def _differences(runs: Sequence[Facts]) -> Markup:
    values = [_flat(what_results_depend_on(run.config)) for run in runs]
    names = [name for name in values[0] if len({str(each.get(name)) for each in values}) > 1]
    if not names:
        return h("p", "What their results depend on is configured alike.")
    rows: list[list[Content]] = [[name, *(str(each.get(name)) for each in values)] for name in names]
    return table(["configuration", *(run.run_dir.name for run in runs)], rows, "Where they differ")


def _curves(runs: Sequence[Facts]) -> Markup | None:
    lines = [
        Curve(
            f"{run.run_dir.name}: {curve.workflow_order}",
            curve.points.columns["total_episodes"].tolist(),
            curve.points.columns["env_reward"].tolist(),
            kind=f"line-{place % NUM_LINES}",
        )
        for place, run in enumerate(runs)
        for curve in run.curves
    ]
    if not lines:
        return None
    keys = [h("span", run.run_dir.name, class_=f"key line-{place % NUM_LINES}") for place, run in enumerate(runs)]
    is_log = all(y < 0 for line in lines for y in line.y)
    return h(
        "figure",
        h("figcaption", *keys),
        chart(lines, "episodes that the run has used", "return, points", is_log=is_log),
    )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
