"""Who plays what, as evaluations, exports and traces tell it: the agent, the game, the versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pipeline.cage2.facts.order_names import order_name
from pipeline.defenders.reference import AgentReference
from pipeline.machine import package_version

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.evaluate.report import AgentDescription, Report
    from pipeline.evaluate.results import ScenarioResult
    from pipeline.evaluate.trained import Trained
    from pipeline.seeding import Purpose
    from pipeline.trace.trace import Header

NOT_INSTALLED = "(not installed)"


def make_report(
    agent: AgentDescription,
    config: Config,
    num_episodes: int,
    results: tuple[ScenarioResult, ...],
    protocol: str = "seeded",
) -> Report:
    """Return what is told of an evaluation: who played what, with which versions, and what came of it."""
    from pipeline.evaluate.report import Report

    return Report(
        agent=agent,
        engine=config.engine,
        profile=config.profile,
        cyborg=cyborg_name(config.cyborg),
        version=package_version("cage2-pipeline") or NOT_INSTALLED,
        seed=config.seed,
        num_episodes=num_episodes,
        results=results,
        protocol=protocol,
    )


def trace_header(agent: AgentDescription, config: Config, purpose: Purpose) -> Header:
    """Return what a file of traces is headed by."""
    from pipeline.trace.trace import FORMAT, Header

    return Header(
        trace_format=FORMAT,
        agent={name: value for name, value in asdict(agent).items() if value is not None},
        game={"engine": config.engine, "profile": config.profile, "cyborg": cyborg_name(config.cyborg)},
        version=package_version("cage2-pipeline") or NOT_INSTALLED,
        purpose=purpose.name.lower(),
        seed=config.seed,
    )


def describe(
    agent: Trained | AgentReference | str, *, greedy: bool = False, form: str | None = None
) -> AgentDescription:
    """Return who plays, for the record: a policy, an agent that others wrote, or a built-in by its name.

    Args:
        agent: Who.
        greedy: Whether a policy or a model takes the likeliest action each time.
        form: Of `forms.FORMS`, where the agent that others wrote has been made.
    """
    from pipeline.defenders.forms import SB3
    from pipeline.evaluate.report import AgentDescription

    actions = "greedy" if greedy else "sampled"
    if isinstance(agent, str):
        return AgentDescription(agent)
    if isinstance(agent, AgentReference):
        return AgentDescription(
            name=agent.name,
            actions=actions if form == SB3 else None,
            form=form,
            observation=agent.observation,
            arguments=dict(agent.arguments),
            sha256=agent.sha256,
        )
    return AgentDescription(
        name="policy",
        run=str(agent.run_dir),
        workflow_id=agent.workflow_id,
        workflow_order=order_name(agent.workflow_id),
        chosen=agent.reason,
        actions=actions,
        num_updates=agent.num_updates,
        num_episodes=agent.num_episodes,
        trained_against=agent.config.red_agent,
        trained_on=agent.config.profile,
        trained_steps=agent.config.episode_steps,
    )


def cyborg_name(package: str) -> str:
    """Return the name and version of the CybORG that a configuration names."""
    name = {"csle": "csle-cyborg", "upstream": "CybORG"}[package]
    return f"{name} {package_version(name) or NOT_INSTALLED}"
