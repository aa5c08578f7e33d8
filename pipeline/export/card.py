"""What is told of an exported agent: README.md for people, card.json for programs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from pipeline.evaluate.report import as_json
from pipeline.evaluate.results import total_score
from pipeline.export.template import template
from pipeline.values import what_results_depend_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.config import Config
    from pipeline.evaluate.report import Report
    from pipeline.evaluate.results import ScenarioResult
    from pipeline.export.form import Exported
    from pipeline.export.names import Form
    from pipeline.types import Estimate

FORMAT: Final = 1
_Z_95: Final = 1.96
"""Standard errors to either side that make an interval of 95 %."""


def card(
    report: Report, config: Config, form: Form, made: Exported, *, num_checked: int, num_differing: int
) -> dict[str, Any]:
    """Return what a program may want to know of an exported agent.

    Args:
        report: Its evaluation.
        config: Of the run that trained it.
        form: Of the export.
        made: What was exported.
        num_checked: Steps in which its actions were compared with those of the run's policy.
        num_differing: How many were others.
    """
    return {
        "format": FORMAT,
        "form": form,
        "needs": made.needs,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in made.files.items()},
        "evaluation": as_json(report),
        "compared": {"steps": num_checked, "actions_different": num_differing},
        "configuration": what_results_depend_on(config),
    }


def readme(report: Report, config: Config, made: Exported, *, num_checked: int, num_differing: int) -> str:
    """Return the same for people; see `card`."""
    score = total_score(report.results)
    total = f"Total score, the sum of the nine means: **{score.mean:z.1f}**, {_interval(score, 1)}." if score else ""
    tells_time = "it tells the time by that" if config.observation_memory else "but this one doesn't tell the time"
    return template("readme").format(
        needs=made.needs,
        trained_steps=config.episode_steps,
        time=tells_time,
        weights=made.weights,
        facts="\n".join(f"| {name} | {value} |" for name, value in facts(report, config).items()),
        profile=report.profile,
        num_episodes=report.num_episodes,
        seed=report.seed,
        scores="\n".join(_row(result) for result in report.results),
        total=total or "No total score: that is the sum of the nine means of CAGE-2's evaluation.",
        checked=f"Compared with the run's policy in {num_checked:,} steps: {num_differing} actions were different.",
        notes=made.notes,
    )


def facts(report: Report, config: Config) -> Mapping[str, str]:
    """Return what it was trained on and how, and what it is, in words."""
    agent = report.agent
    sees = "the table, and what Blue may remember" if config.observation_memory else "CybORG's own table"
    return {
        "trained by": f"cage2-pipeline {report.version}, run `{agent.run}`",
        "trained against": f"{agent.trained_against}, {agent.trained_steps} steps an episode",
        "recipe": f"`{config.recipe}`, seed {config.seed}",
        "trained with": f"{agent.num_episodes:,} episodes, {agent.num_updates:,} updates",
        "the game": f"{report.cyborg}, profile `{agent.trained_on}`",
        "workflow": f"{agent.workflow_order} ({agent.chosen})",
        "it sees": sees,
        "it chooses among": "the 31 actions that are worth taking" if config.actions == "merged" else "all 145 actions",
        "network": f"hidden layers of {config.hidden_sizes[0]} and {config.hidden_sizes[1]} units, tanh",
    }


def _row(result: ScenarioResult) -> str:
    scenario, reward = result.scenario, result.env_reward
    values = f"{reward.mean:z.2f} | {_interval(reward, 2)} | {result.std:.2f}"
    return f"| {scenario.num_steps} | {scenario.red_agent} | {values} |"


def _interval(estimate: Estimate, digits: int) -> str:
    low, high = (estimate.mean + sign * _Z_95 * estimate.stderr for sign in (-1, 1))
    return f"{low:z.{digits}f} to {high:z.{digits}f}"
