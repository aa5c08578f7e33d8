"""An evaluation as a table for people, and as JSON for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from pipeline.contest.baselines import CONTEST_BASELINES
from pipeline.evaluate.evaluation import EPISODES_PER_AGENT
from pipeline.evaluate.results import total_score

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.evaluate.results import ScenarioResult
    from pipeline.types import Estimate


_OTHERS: Final = {
    "restore": " (not the leaderboard's Blue React Restore: docs/evaluation.md)",
    **dict.fromkeys(CONTEST_BASELINES, " (the contest's own: docs/evaluation.md)"),
}
"""What a baseline could be taken for."""
_NUM_ACTIONS: Final = 3
"""Actions of a scenario that are shown to people."""


@dataclass(frozen=True, slots=True)
class AgentDescription:
    """Who played, for the record."""

    name: str
    """`policy`, or a baseline's name."""
    run: str | None = None
    workflow_id: int | None = None
    workflow_order: str | None = None
    chosen: str | None = None
    """Why it is this one of the run's policies."""
    actions: str | None = None
    """`greedy` or `sampled`."""
    num_updates: int | None = None
    num_episodes: int | None = None
    """That it was trained with."""
    trained_against: str | None = None
    trained_on: str | None = None
    """Profile of the game."""
    trained_steps: int | None = None
    """Of an episode."""
    form: str | None = None
    """Of an agent that others wrote: one of `forms.FORMS`."""
    observation: str | None = None
    """What it is shown: one of `reference.Observation`."""
    arguments: dict[str, str] | None = None
    """That it is made with."""
    sha256: str | None = None
    """Of the file that it is in, if it is named by one."""


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation, complete."""

    agent: AgentDescription
    engine: str
    profile: str
    cyborg: str
    """The CybORG that plays, or whose game the engine plays, with its version."""
    version: str
    """Of this project."""
    seed: int
    num_episodes: int
    """Of each scenario."""
    results: tuple[ScenarioResult, ...]
    protocol: str = "seeded"
    """`seeded`: each episode from a seed of its own; `contest`: all on one generator, by the contest's script."""


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as what JSON can hold. Rewards are in points; a score that is not of all nine is null."""
    score = total_score(report.results)
    return {
        "agent": {name: value for name, value in asdict(report.agent).items() if value is not None},
        "game": {"engine": report.engine, "profile": report.profile, "cyborg": report.cyborg},
        "version": report.version,
        "protocol": report.protocol,
        "seed": report.seed,
        "episodes": report.num_episodes,
        "scenarios": [
            {
                "red_agent": result.scenario.red_agent,
                "steps": result.scenario.num_steps,
                "mean": result.env_reward.mean,
                "std": result.std,
                "stderr": result.env_reward.stderr,
                "compliance": asdict(result.compliance) if result.compliance else None,
                "actions": result.actions,
            }
            for result in report.results
        ],
        "total_score": asdict(score) if score else None,
    }


def print_report(report: Report, console: Console) -> None:
    """Print a report for people."""
    for line in _headlines(report):
        console.print(line)
    if report.protocol == "contest":
        for result in report.results:
            console.print(_as_the_script(result))
    else:
        console.print(_table(report))
        console.print(_actions(report))
    score = total_score(report.results)
    if score is None:
        console.print("no total score: that is the sum of all nine means, and not all were played")
    else:
        console.print(f"total score: {_shown(score, 1)} (the sum of the nine means)", style="bold")


def _headlines(report: Report) -> list[str]:
    agent = report.agent
    lines = [f"agent: {agent.name}{_OTHERS.get(agent.name, '')}"]
    if agent.run is not None:
        training = f"{agent.num_episodes:,} episodes, {agent.num_updates:,} updates, against {agent.trained_against}"
        lines = [
            f"agent: policy of {agent.run}, {agent.actions} actions",
            f"workflow: {agent.workflow_order} ({agent.chosen})",
            f"trained: {training}, {agent.trained_steps} steps each, profile {agent.trained_on}",
        ]
    if agent.form is not None:
        choice = f", {agent.actions}" if agent.actions else ""
        made = (
            "kept throughout" if report.protocol == "contest" else f"made anew for every {EPISODES_PER_AGENT} episodes"
        )
        lines = [
            f"agent: {agent.name}{choice}, by its own code (form: {agent.form}), {made}; it sees: {agent.observation}"
        ]
    played = f"on {report.cyborg}" if report.engine == "cyborg" else f"on the fast engine ({report.cyborg}'s game)"
    if report.protocol == "contest":
        lines.append("protocol: the contest's script, on one generator from the first step to the last")
    return [
        *lines,
        f"game: profile {report.profile}, {played}; {report.num_episodes:,} episodes each, seed {report.seed}",
    ]


def _as_the_script(result: ScenarioResult) -> str:
    """Return the line that the contest's script prints of a scenario."""
    scenario = result.scenario
    return (
        f"Average reward for red agent {scenario.red_agent} and steps {scenario.num_steps} is: "
        f"{result.env_reward.mean} with a standard deviation of {result.std}"
    )


def _table(report: Report) -> Table:
    table = Table(caption="raw environment reward per episode, in points; ± standard error", caption_justify="left")
    table.add_column("steps", justify="right")
    table.add_column("Red agent")
    table.add_column("mean", justify="right")
    table.add_column("std", justify="right")
    has_compliance = any(result.compliance for result in report.results)
    if has_compliance:
        table.add_column("compliance", justify="right")
    previous = None
    for result in report.results:
        steps = result.scenario.num_steps
        if previous not in (None, steps):
            table.add_section()
        previous = steps
        table.add_row(
            str(steps),
            result.scenario.red_agent,
            _shown(result.env_reward, 2),
            f"{result.std:.2f}",
            *([_shown(result.compliance, 3)] if result.compliance else []),
        )
    return table


def _actions(report: Report) -> Table:
    table = Table(caption="times per episode; all of them with --json", caption_justify="left")
    table.add_column("steps", justify="right")
    table.add_column("Red agent")
    table.add_column("most frequent actions")
    for result in report.results:
        most = list(result.actions.items())[:_NUM_ACTIONS]
        actions = ", ".join(f"{name} {times:.1f}" for name, times in most)
        table.add_row(str(result.scenario.num_steps), result.scenario.red_agent, actions)
    return table


def _shown(estimate: Estimate, digits: int) -> str:
    return f"{estimate.mean:z.{digits}f} ± {estimate.stderr:.{digits}f}"  # z: no -0.00
