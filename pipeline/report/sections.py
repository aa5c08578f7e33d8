"""The parts of a report of one run, in words that a reader of a paper understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.cage2.facts.order_names import NUM_WORKFLOWS, order_name
from pipeline.cage2.mixed_env import red_agents_of
from pipeline.evaluate.results import total_score
from pipeline.evaluate.scenario import PROTOCOL
from pipeline.report.chart import Curve, chart
from pipeline.report.findings import findings
from pipeline.report.markup import Markup, h, join, table
from pipeline.report.order_map import MARKS, Order, order_map
from pipeline.report.published import SCORES
from pipeline.report.repeat import command
from pipeline.workflows.report import MIN_PROBABILITY
from pipeline.workflows.status import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.config import Config
    from pipeline.evaluate.results import ScenarioResult
    from pipeline.report.facts import Facts
    from pipeline.report.markup import Content
    from pipeline.types import Estimate

_95: Final = 1.96
"""Standard errors to either side of the mean of many episodes."""
GAMES: Final = {
    "head": "today's CAGE-2 (CybORG's main branch)",
    "leaderboard": "the contest's own game (CAGE-2 as on its final day)",
}
"""The profiles, in words."""
_NEAREST: Final = 3
"""Published scores that are shown beside a defender's."""


def what_was_run(facts: Facts) -> Markup:
    """Return what was asked for, and what became of it."""
    config = facts.config
    return h(
        "section",
        h("h2", "What was run"),
        h("p", _task(config)),
        h(
            "p",
            f"The run has {_STATES.get(facts.state, facts.state)} after {facts.episodes:,} of "
            f"{config.total_episodes:,} episodes and {facts.updates:,} updates: {facts.why}.",
        ),
    )


_STATES: Final = {"finished": "ended", "stopped": "been stopped", "running": "come, so far,", "crashed": "broken off"}


def _task(config: Config) -> str:
    game = GAMES[config.profile]
    if config.policy == "shared":
        kind = "One policy was trained to follow any of the 120 priority orders"
    elif config.workflow is not None:
        kind = f"One defender was trained, to repair in the order {config.workflow}"
    else:
        kind = (
            "Which of the 120 orders of repair is best was searched for by GP-UCB: one order after the other was "
            "tried, by training a defender that follows it"
        )
        if config.finals_episodes:
            kind += (
                f"; the last {config.finals_share:.0%} of the episodes went to the most promising, trained to the end"
            )
    return (
        f"{kind}. Defenders are trained by PPO against {config.red_agent} in episodes of {config.episode_steps} steps "
        f"of {game}. A defender counts for an order only if at least {config.compliance_threshold:.0%} of its repairs "
        "follow it (compliance)."
    )


def what_was_found(facts: Facts) -> Markup:
    """Return what may be concluded."""
    if facts.found.best_workflow is None:
        text = h("p", f"No order has reached the compliance threshold of {facts.config.compliance_threshold:.0%} yet.")
    else:
        text = h("pre", "\n".join(findings(facts.found)), class_="findings")
    pairs = [pair for pair in facts.found.pairs if pair.matters]
    rows: list[list[Content]] = [
        [f"{pair.first} before {pair.second}", f"{pair.mean:+.1f} ± {_95 * pair.std:.1f}"] for pair in pairs
    ]
    return h(
        "section",
        h("h2", "What was found"),
        text,
        table(["pair", "worth, points ± 95 %"], rows, "Pairs of host types whose order matters") if rows else None,
    )


def scores(facts: Facts) -> Markup:
    """Return what the defender is worth in the nine games, and the nearest published scores on the same game."""
    defender = facts.defender
    if defender is None:
        return h("section", h("h2", "What the defender is worth"), h("p", f"There is none: {facts.no_defender}."))
    trained = defender.trained
    results = defender.results
    head = ["", *(f"{short(result.scenario.red_agent)}, {result.scenario.num_steps}" for result in results)]
    own: list[Content] = [f"this run's defender: {order_name(trained.workflow_id).replace('->', '→')}"]
    own += [interval(result.env_reward) for result in results]
    rows, note = [own], ""
    total = total_score(results)
    if total is not None:
        head.append("all nine")
        own.append(h("strong", interval(total)))
        rows += _published(facts.config, results, total)
        note = (
            " Published scores are those of the same game that are nearest in all; their intervals are as published. "
            "They were measured by others, on other episodes."
        )
    return h(
        "section",
        h("h2", "What the defender is worth"),
        h(
            "p",
            f"Mean return, in points, of {defender.num_episodes:,} fresh episodes of each game, likeliest action each "
            f"time, ± 95 % over episodes: Red agent and steps of an episode, on {GAMES[facts.config.profile]}. "
            f"The policy is {trained.reason}.{note}",
        ),
        table(head, rows, None),
        h("p", _compliance(facts.config, results)),
    )


def _published(config: Config, results: Sequence[ScenarioResult], total: Estimate) -> list[list[Content]]:
    """Return the rows of the nearest scores that others have published on the same game."""
    places = [PROTOCOL.index(result.scenario) for result in results]
    same = [score for score in SCORES if score.game == config.profile]
    nearest = sorted(same, key=lambda score: abs(score.total - total.mean))[:_NEAREST]
    rows: list[list[Content]] = []
    for score in sorted(nearest, key=lambda score: -score.total):
        half = "" if score.half_width is None else f" ±\N{NO-BREAK SPACE}{score.half_width:.2f}"
        name = h("a", score.name, href=score.source)
        rows.append(
            [join(name, " (published)"), *(f"{score.means[i]:.2f}" for i in places), f"{score.total:.2f}{half}"]
        )
    return rows


def _compliance(config: Config, results: Sequence[ScenarioResult]) -> str:
    """Return how far it follows its order against those that it was trained against."""
    shares = [
        f"{short(result.scenario.red_agent)}, {result.scenario.num_steps}: {result.compliance.mean:.1%}"
        for result in results
        if result.compliance is not None and result.scenario.red_agent in red_agents_of(config.red_agent)
    ]
    return f"Compliance with its order: {'; '.join(shares)}." if shares else ""


def curves(facts: Facts) -> Markup:
    """Return the learning curves."""
    if not facts.curves:
        return h("section", h("h2", "How it learned"), h("p", "There has been no update yet."))
    kinds = {"search": "line-0", "finals": "line-1"}

    def drawn(column: str, stderr: str | None = None) -> list[Curve]:
        return [
            Curve(
                f"{curve.workflow_order} ({curve.part})",
                curve.points.columns["total_episodes"].tolist(),
                curve.points.columns[column].tolist(),
                curve.points.columns[stderr].tolist() if stderr else None,
                kinds.get(curve.part, "line-0"),
            )
            for curve in facts.curves
        ]

    rewards = drawn("env_reward", "env_reward_stderr")
    is_log = all(y < 0 for curve in rewards for y in curve.y)
    axis = "episodes that the run has used"
    return h(
        "section",
        h("h2", "How it learned"),
        h(
            "p",
            "A curve is a visit to an order: ",
            h("strong", "search", class_="key line-0"),
            ", ",
            h("strong", "finals", class_="key line-1"),
            ". Actions are sampled, as in training, so returns are below those of the table above. Bands are 95 % over "
            f"episodes.{' The upper axis is logarithmic.' if is_log else ''}",
        ),
        h("figure", chart(rewards, axis, "return, points", is_log=is_log)),
        h("figure", chart(drawn("compliance"), axis, "compliance, 0 to 1")),
    )


def orders(facts: Facts) -> Markup | None:
    """Return the map of all orders; None of a run that compared none."""
    found = facts.map
    if found is None or facts.config.workflow is not None:
        return None
    report = found.report
    if report is None or report.too_little:
        tied = [False] * NUM_WORKFLOWS
        told = "too few orders were observed to say which can't be told from the best"
    else:
        tied = [probability >= MIN_PROBABILITY for probability in report.within_one]
        told = "an orange frame: can't be told from the best within a point"
    cells = [
        Order(
            mean=found.mean[workflow_id] if found.mean else None,
            std=found.std[workflow_id] if found.std else None,
            mark=MARKS[_fate(facts, workflow_id)],
            is_tied=tied[workflow_id],
        )
        for workflow_id in range(NUM_WORKFLOWS)
    ]
    return h(
        "section",
        h("h2", "The 120 orders"),
        h(
            "p",
            "A row is how an order begins, a cell the rest of it; the brighter, the more the search believes it to be "
            f"worth as trained in the search. {MARKS['best']} the order that the run names, {MARKS['trained']} trained "
            f"to the threshold, {MARKS['tried']} tried and missed, {MARKS['retired']} given up; {told}. What is said "
            "of orders without a sign is inferred from the others.",
        ),
        h("figure", order_map(cells)),
    )


def _fate(facts: Facts, workflow_id: int) -> str:
    assert facts.map is not None  # noqa: S101  # asked for orders of a map
    if facts.found.best_workflow == order_name(workflow_id):
        return "best"
    status = facts.map.status[workflow_id]
    if status is Status.TRAINED:
        return "trained"
    if status is Status.RETIRED:
        return "retired"
    return "tried" if facts.map.num_episodes[workflow_id] else "untried"


def how_to_repeat(facts: Facts) -> Markup:
    """Return the command, the versions and the digest."""
    machine = facts.machine or {}
    packages = machine.get("packages", {})
    versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    code = [f"{name} (SHA-256 {digest})" for name, digest in facts.config.red_sha256.items()]
    return h(
        "section",
        h("h2", "How to repeat it"),
        h("pre", command(facts.config)),
        h("p", f"It needs the attackers {', '.join(code)}.") if code else None,
        h("p", f"It began from the policies of another run (SHA-256 {facts.config.init_sha256}).")
        if facts.config.init_sha256
        else None,
        h("p", f"Made with {versions}, Python {machine.get('python', '?')}, on {machine.get('processor', '?')}.")
        if versions
        else None,
        h(
            "p",
            "The same versions give the same bits on any x86-64 processor, with any number of workers. Digest: ",
            h("code", facts.digest),
        )
        if facts.digest
        else h("p", "The run has no digest before its end."),
    )


def interval(value: Estimate) -> str:
    """Return a mean with its interval of 95 %, for people."""
    return f"{value.mean:z.2f} ±\N{NO-BREAK SPACE}{_95 * value.stderr:.2f}"


def short(red_agent: str) -> str:
    """Return a Red agent's name as the contest calls it."""
    return {"B_lineAgent": "B_line", "RedMeanderAgent": "Meander", "SleepAgent": "Sleep"}.get(red_agent, red_agent)
