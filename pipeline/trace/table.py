"""A trace as a table for people, a row a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.table import Table

if TYPE_CHECKING:
    from pipeline.trace.trace import BlueMove, Header, RedMove, Seen, Trace

WIDTH: Final = 1000
"""Columns, at most, where there is no terminal, which has a width of its own: no row needs as many."""


def headlines(header: Header) -> list[str]:
    """Return who plays which game, in lines."""
    agent, game = header.agent, header.game
    lines = [f"agent: {agent['name']}"]
    if "run" in agent:
        lines = [
            f"agent: policy of {agent['run']}, {agent['actions']} actions",
            f"workflow: {agent['workflow_order']} ({agent['chosen']})",
        ]
    played = f"on {game['cyborg']}" if game["engine"] == "cyborg" else f"on the fast engine ({game['cyborg']}'s game)"
    return [*lines, f"game: profile {game['profile']}, {played}; {header.purpose}, seed {header.seed}"]


def as_table(trace: Trace) -> Table:
    """Return the table."""
    table = Table(
        title=f"{trace.red_agent}, {len(trace.steps)} steps, episode {trace.index}",
        title_justify="left",
        caption=_sum(trace),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    has_policy = any(step.blue.probability is not None for step in trace.steps)
    table.add_column("step", justify="right")
    table.add_column("new in Blue's table")
    table.add_column("Blue")
    if has_policy:
        table.add_column("p", justify="right")
    table.add_column("Red")
    table.add_column("reward", justify="right")
    table.add_column("under Red")
    before: Seen | None = None
    for number, step in enumerate(trace.steps, start=1):
        blue, red = step.blue, step.red
        table.add_row(
            str(number),
            _news(before, blue.saw),
            _done(blue),
            *([_percentage(blue.probability)] if has_policy else []),
            _aimed(red),
            f"{step.reward.total:z.1f}",
            ", ".join(_held(host, sessions) for host, sessions in step.network.sessions.items()),
        )
        before = blue.saw
    return table


def _news(before: Seen | None, now: Seen) -> str:
    """Return what Blue's table shows of the last step: activity, and conditions that aren't what they were."""
    conditions = {} if before is None else {host: condition for host, (_, condition) in before.table.items()}
    news = []
    for host in dict.fromkeys((*now.table, *conditions)):
        activity, condition = now.table.get(host, ("None", "No"))
        words = [] if activity == "None" else [activity.lower()]
        if condition != conditions.get(host, "No"):
            words.append(f"now {condition}")
        if words:
            news.append(f"{host} {', '.join(words)}")
    return "; ".join(news)


def _done(blue: BlueMove) -> str:
    return _marked(blue.action, blue.success) + (", not compliant" if blue.verdict == "not_compliant" else "")


def _aimed(red: RedMove) -> str:
    return _marked(red.action if red.target is None else f"{red.action} {red.target}", red.success)


def _marked(action: str, success: bool | None) -> str:
    return f"{action}, failed" if success is False else action


def _percentage(probability: float | None) -> str:
    return "" if probability is None else f"{probability:.0%}" if probability >= 0.01 else "<1%"


def _held(host: str, sessions: tuple[str, ...]) -> str:
    """Return a host under Red, marked where it costs Blue: for a privileged session."""
    return f"{host}*" if "Privileged" in sessions else host


def _sum(trace: Trace) -> str:
    compliance = "" if trace.compliance is None else f", compliance {trace.compliance:.2f}"
    return f"reward {trace.total_reward:z.1f}{compliance}; *: Red is privileged there"
